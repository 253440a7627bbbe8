# JSON, dictionaries, strings, regular expressions, in a fixed hash order.
if [ "$1" = check ]; then echo python3; [ -x /usr/bin/python3 ]; exit; fi
export PYTHONHASHSEED=0
exec /usr/bin/python3 -c '
import json, re, collections, hashlib
rows = json.load(open("records.json"))
by = collections.defaultdict(list)
for row in rows:
    by[row["name"].split("-")[0]].append(row)
words = collections.Counter(re.findall(r"w\d+", open("words.txt").read()))
text = json.dumps({k: [dict(r, tags=sorted(r["tags"])) for r in v] for k, v in sorted(by.items())})
big = [str(i) * (i % 50) for i in range(200000)]
print(len(text), hashlib.md5(text.encode()).hexdigest(), words.most_common(5), sum(map(len, big)))
'
