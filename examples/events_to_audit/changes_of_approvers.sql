-- Changes of approvers. An empty api_key is the root key.
WITH once AS (
  SELECT *, row_number() OVER (PARTITION BY event ORDER BY action DESC) AS nth FROM records
)
SELECT token, title, key, added, removed, api_key, happened_at
FROM once
WHERE nth = 1 AND kind = 'waitpoint.handed_over' ORDER BY happened_at, event
