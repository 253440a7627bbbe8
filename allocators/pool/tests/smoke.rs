//! Smoke.
use strata_pool::*;
#[test]
fn smoke() {
    let pool = LocalPool::<[u64; 8]>::new().unwrap();
    let v: Vec<_> = (0..100_000).map(|i| pool.alloc([i; 8]).unwrap()).collect();
    assert!(v.iter().enumerate().all(|(i, b)| **b == [i as u64; 8]));
    pool.validate().unwrap();
    eprintln!("{:?}", pool.stats());
    drop(v);
    pool.validate().unwrap();
    pool.stats().bytes.check_laws().unwrap();
    eprintln!("{:?}", pool.stats());
    pool.trim(0);
    eprintln!("{:?}", pool.stats());
    let mut pool = Pool::<[u64; 8]>::new().unwrap();
    std::thread::scope(|s| {
        for t in 0..4u64 {
            let pool = &pool;
            s.spawn(move || {
                for _ in 0..3 {
                    let v: Vec<_> = (0..10_000).map(|_| pool.alloc([t; 8]).unwrap()).collect();
                    assert!(v.iter().all(|b| **b == [t; 8]));
                }
            });
        }
    });
    pool.validate().unwrap();
    eprintln!("{:?}", pool.stats());
    pool.stats().bytes.check_laws().unwrap();
    pool.trim(0);
    eprintln!("{:?}", pool.stats());
    let a = pool.alloc([1; 8]).unwrap();
    drop(a);
    let _ = &mut pool;
    static P: StaticPool<u64, 100, 2> = StaticPool::new();
    let v: Vec<_> = (0..100).map(|i| P.alloc(i).unwrap()).collect();
    assert!(P.alloc(1).is_err());
    drop(v);
    assert_eq!(P.live(), 0);
}
