CREATE TABLE account(id INTEGER PRIMARY KEY, owner TEXT, city TEXT, balance INTEGER);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
INSERT INTO account SELECT i, 'owner ' || (i * 7919 % 20011), 'city ' || (i % 97), i * 31 % 1000 FROM n;
CREATE INDEX by_city ON account(city, balance);
SELECT count(*), sum(balance) FROM account WHERE owner LIKE '%9%';
DELETE FROM account WHERE id % 3 = 0;
SELECT city, count(*), max(owner), group_concat(balance) FROM account GROUP BY city ORDER BY 2 DESC LIMIT 5;
