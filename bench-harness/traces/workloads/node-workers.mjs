// Workers that pack and unpack records and send buffers to one another.
import { Worker, isMainThread, parentPort } from "node:worker_threads";
import { deflateSync, inflateSync } from "node:zlib";

if (isMainThread) {
  const workers = [0, 1].map(() => new Worker(new URL(import.meta.url)));
  let left = 60;
  for (const worker of workers) {
    worker.on("message", ({ size }) => {
      if (--left === 0) workers.forEach((w) => w.postMessage(null));
      else if (left >= workers.length) worker.postMessage({ round: left, size });
    });
    worker.postMessage({ round: 0, size: 1000 });
  }
} else {
  parentPort.on("message", (order) => {
    if (order === null) return parentPort.close();
    const records = Array.from({ length: 300 + (order.round % 7) * 50 }, (_, n) => ({
      id: n, name: `name ${(n * 7919) % 613}`, tags: [`t${n % 9}`, `t${n % 31}`],
    }));
    const packed = deflateSync(Buffer.from(JSON.stringify(records)));
    const back = JSON.parse(inflateSync(packed).toString());
    parentPort.postMessage({ size: back.length, packed });
  });
}
