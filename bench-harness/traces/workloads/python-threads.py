"""Orders parsed, priced and summed by threads that hand one another their work through queues."""

import _random
import json
import queue
import threading

BATCHES = 17
LINES = 40
PARSERS = 3


class Draw(_random.Random):
    """Seeded numbers; the module for them imports half the library."""

    def below(self, limit):
        return int(self.random() * limit)


def read(to_parsers):
    draw = Draw(1)
    for _ in range(BATCHES):
        batch = [
            json.dumps(
                {
                    "id": draw.below(10**6),
                    "customer": f"customer-{draw.below(300)}",
                    "items": [
                        {"name": f"item {draw.below(500)}", "price": draw.below(10**4) / 100}
                        for _ in range(draw.below(5) + 1)
                    ],
                }
            )
            for _ in range(LINES)
        ]
        to_parsers.put(batch)
    for _ in range(PARSERS):
        to_parsers.put(None)


def parse(to_parsers, to_book):
    while (batch := to_parsers.get()) is not None:
        to_book.put([json.loads(line) for line in batch])
    to_book.put(None)


def book(to_book):
    customers, waiting = {}, PARSERS
    while waiting:
        batch = to_book.get()
        if batch is None:
            waiting -= 1
            continue
        for order in batch:
            orders = customers.setdefault(order["customer"], [])
            orders.append(order)
            del orders[:-8]
    total = sum(item["price"] for orders in customers.values() for o in orders for item in o["items"])
    print(len(customers), "customers", total > 0)


to_parsers, to_book = queue.Queue(8), queue.Queue(8)
threads = [
    threading.Thread(target=read, args=(to_parsers,)),
    *(threading.Thread(target=parse, args=(to_parsers, to_book)) for _ in range(PARSERS)),
    threading.Thread(target=book, args=(to_book,)),
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
