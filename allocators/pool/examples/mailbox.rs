//! Actors that send one another messages from one pool: whoever reads a message gives its block to
//! its own thread's magazine, at no more cost than the sender's.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use strata_pool::{Pool, PoolBox};

/// What actors say.
enum Message {
    Add(u64),
    Text(String),
    Stop,
}

/// A message on its way.
type Letter<'p> = PoolBox<'p, Message, Pool<Message>>;

/// Adds up what it is told, until it is told to stop.
fn actor<'p>(mailbox: Receiver<Letter<'p>>, next: Option<Sender<Letter<'p>>>) -> u64 {
    let mut sum = 0;
    for letter in mailbox {
        match &*letter {
            Message::Add(n) => sum += n,
            Message::Text(text) => sum += text.len() as u64,
            Message::Stop => {
                // The letter itself goes on: nothing is copied.
                if let Some(next) = next {
                    let _ = next.send(letter);
                }
                return sum;
            }
        }
    }
    sum
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pool = Pool::<Message>::new()?;
    let sum = thread::scope(|scope| {
        let (last, last_box) = channel();
        let (first, first_box) = channel();
        let to_last = last.clone();
        let one = scope.spawn(move || actor(first_box, Some(to_last)));
        let two = scope.spawn(move || actor(last_box, None));
        for n in 0..10_000 {
            let message = if n % 10 == 0 { Message::Text("ten".into()) } else { Message::Add(n) };
            let to = if n % 2 == 0 { &first } else { &last };
            let _ = to.send(pool.alloc(message).expect("memory for a letter"));
        }
        let _ = first.send(pool.alloc(Message::Stop).expect("memory for a letter"));
        drop(last);
        one.join().unwrap() + two.join().unwrap()
    });
    println!("{sum}; {:?}", pool.stats());
    assert_eq!(pool.stats().live, 0);
    pool.trim(0);
    Ok(())
}
