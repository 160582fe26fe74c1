-- Answers by person.
WITH once AS (
  SELECT *, row_number() OVER (PARTITION BY event ORDER BY action DESC) AS nth FROM records
)
SELECT approver, action, count(*) AS answers, min(happened_at) AS earliest, max(happened_at) AS latest
FROM once
WHERE nth = 1 AND approver <> '' GROUP BY approver, action ORDER BY approver, action
