//! Secrets are wiped when the last owner drops them: no copy of one is left in the memory of the
//! process, which the test reads as a debugger would.

use std::fs;
use std::os::unix::fs::FileExt;
use std::thread;

use monocoque_zmtp::{CurveSecretKey, Password};

/// A secret, kept so that its bytes are nowhere in memory.
struct Masked(Vec<u8>);

const MASK: u8 = 0x5a;

impl Masked {
    fn random(len: usize) -> Self {
        Self((0..len).map(|_| fastrand::u8(..)).collect())
    }

    fn is_at(&self, memory: &[u8]) -> bool {
        self.0.len() <= memory.len() && self.0.iter().zip(memory).all(|(masked, byte)| masked ^ MASK == *byte)
    }

    /// Counts the copies of the secret in the memory that the process may write to.
    fn copies(&self) -> usize {
        let memory = fs::File::open("/proc/self/mem").expect("own memory");
        let maps = fs::read_to_string("/proc/self/maps").expect("own mappings");
        let mut copies = 0;
        for line in maps.lines().filter(|line| line.contains(" rw")) {
            let (start, end) =
                line.split(' ').next().and_then(|range| range.split_once('-')).expect("a range");
            let [start, end] = [start, end].map(|at| u64::from_str_radix(at, 16).expect("an address"));
            let mut bytes = vec![0; usize::try_from(end - start).expect("a length")];
            // Some mappings cannot be read, and the one of `bytes` may change meanwhile.
            if memory.read_exact_at(&mut bytes, start).is_ok() {
                copies += (0..bytes.len()).filter(|at| self.is_at(&bytes[*at..])).count();
            }
            bytes.fill(0);
        }
        copies
    }
}

/// Makes a secret on a thread of its own, whose stack is then overwritten, and checks that it is in
/// memory while it lives, and not afterwards.
fn check<T: Send + 'static>(secret: &Masked, make: fn(Vec<u8>) -> T) {
    let masked = secret.0.clone();
    let made = thread::spawn(move || make(masked.iter().map(|byte| byte ^ MASK).collect()));
    let made = made.join().expect("made");
    // It gets the stack of the other thread.
    let overwritten = thread::spawn(|| std::hint::black_box([0_u8; 1 << 18]).len());
    overwritten.join().expect("overwritten");
    assert!(secret.copies() > 0, "the test finds what is there");
    drop(made);
    assert_eq!(secret.copies(), 0, "a copy is left");
}

#[test]
fn secret_keys_and_passwords_are_wiped() {
    let secret = Masked::random(32);
    check::<Password>(&secret, Password::from);
    let secret = Masked::random(32);
    check(&secret, |bytes| {
        let key = CurveSecretKey::from_bytes(bytes[..].try_into().expect("32 bytes"));
        drop(zeroize::Zeroizing::new(bytes));
        [key.clone(), key]
    });
}
