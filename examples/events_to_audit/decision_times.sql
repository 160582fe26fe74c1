-- How long decisions took, in seconds, by month.
WITH once AS (
  SELECT *, row_number() OVER (PARTITION BY event ORDER BY action DESC) AS nth FROM records
), decided AS (
  SELECT substr(happened_at, 1, 7) AS month,
    date_diff('millisecond', from_iso8601_timestamp(created_at), from_iso8601_timestamp(happened_at)) / 1000.0 AS seconds
  FROM once
  WHERE nth = 1 AND title <> '' AND kind = 'waitpoint.completed' AND ok
)
SELECT month, count(*) AS decisions, avg(seconds) AS average, approx_percentile(seconds, 0.5) AS median, max(seconds) AS longest
FROM decided GROUP BY month ORDER BY month
