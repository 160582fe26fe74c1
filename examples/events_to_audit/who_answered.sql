-- Who approved what: each answer that a person gave, and each decision in place of the approvers.
WITH once AS (
  SELECT *, row_number() OVER (PARTITION BY event ORDER BY action DESC) AS nth FROM records
)
SELECT token, title, key, action, approver, email,
  coalesce(slack_user, '') AS slack_user, coalesce(override, '') AS override, coalesce(api_key, '') AS api_key,
  kind <> 'waitpoint.answered' AS decided, happened_at
FROM once
WHERE nth = 1 AND kind <> 'waitpoint.handed_over' AND (action <> '' OR approver <> '') ORDER BY happened_at, event
