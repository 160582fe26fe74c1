-- What timed out.
WITH once AS (
  SELECT *, row_number() OVER (PARTITION BY event ORDER BY action DESC) AS nth FROM records
)
SELECT token, title, key, created_by, created_at, happened_at
FROM once
WHERE nth = 1 AND kind = 'waitpoint.timed_out' ORDER BY happened_at, event
