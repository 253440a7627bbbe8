# Objects, maps, buffers and JSON.
if [ "$1" = check ]; then echo node; command -v node >/dev/null; exit; fi
exec node -e '
const rows = JSON.parse(require("fs").readFileSync("records.json", "utf8"));
const by = new Map();
for (const row of rows) { const k = row.name.split("-")[0]; if (!by.has(k)) by.set(k, []); by.get(k).push(row); }
let n = 0;
for (let i = 0; i < 3000; i++) { const b = Buffer.allocUnsafeSlow(1000 + (i * 97) % 50000).fill(i & 255); n += b[7]; }
const out = JSON.stringify([...by].sort());
const h = require("crypto").createHash("md5").update(out).digest("hex");
const z = require("zlib").gzipSync(out).length;
console.log(out.length, h, n, z);'
