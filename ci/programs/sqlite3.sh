# Rows, indices, joins and groups in a database in memory.
if [ "$1" = check ]; then echo sqlite3; command -v sqlite3 >/dev/null; exit; fi
exec sqlite3 :memory: "
CREATE TABLE t(id INTEGER PRIMARY KEY, k INTEGER, v TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150000)
INSERT INTO t SELECT i, (i * 7919) % 10007, 'value ' || (i * 31) FROM n;
CREATE INDEX tk ON t(k, v);
SELECT count(*), sum(length(v)) FROM t;
SELECT k % 97 AS g, count(*), max(v), group_concat(substr(v, 7, 3)) FROM t WHERE id < 60000 GROUP BY g ORDER BY g;
SELECT count(*) FROM t a JOIN t b ON a.k = b.k WHERE a.id < 20000;
UPDATE t SET v = v || ' changed' WHERE k % 5 = 0;
SELECT v FROM t ORDER BY v DESC LIMIT 5;"
