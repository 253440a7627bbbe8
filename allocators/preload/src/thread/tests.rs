use super::*;

/// What assembly wrote is what `Words::new` would have written.
#[test]
fn a_new_threads_words_are_new_words() {
    // SAFETY: the thread's own, read only.
    let written = std::thread::spawn(|| format!("{:?}", unsafe { &*words() })).join().unwrap();
    assert_eq!(written, format!("{:?}", Words::new()));
}

#[test]
fn threads_have_words_of_their_own() {
    let mine = words().addr();
    assert_eq!(mine, words().addr());
    let others = std::thread::spawn(|| words().addr()).join().unwrap();
    assert_ne!(mine, others);
}
