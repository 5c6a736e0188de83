//! Names of containers: the rule, and generated ones.

use std::io::Read;

use crate::error::{Error, Result, Tried};
use crate::volume::is_name;

/// Refuses what is no name ([`is_name`]).
pub fn check(name: &str) -> Result<()> {
    if is_name(name) {
        return Ok(());
    }
    Err(Error::usage(format!(
        "container name {name:?}: names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument"
    )))
}

/// 64 hex digits from the kernel's random source, and eight bytes more to draw a name from.
pub fn new_id() -> Result<(String, u64)> {
    let mut bytes = [0u8; 40];
    let mut filled = 0;
    while filled < bytes.len() {
        match rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty()) {
            Ok(n) => filled += n,
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::NOSYS) => {
                let mut file = std::fs::File::open("/dev/urandom").tried(|| "open /dev/urandom")?;
                file.read_exact(&mut bytes).tried(|| "read /dev/urandom")?;
                break;
            }
            Err(errno) => return Err(errno).tried(|| "read random bytes"),
        }
    }
    let mut seed = [0u8; 8];
    seed.copy_from_slice(&bytes[32..]);
    Ok((hex(&bytes[..32]), u64::from_le_bytes(seed)))
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    out
}

/// `adjective_surname` number `seed`.
pub fn generate(seed: u64) -> String {
    let adjective = ADJECTIVES[(seed % ADJECTIVES.len() as u64) as usize];
    let surname = SURNAMES[(seed / ADJECTIVES.len() as u64 % SURNAMES.len() as u64) as usize];
    format!("{adjective}_{surname}")
}

const ADJECTIVES: [&str; 96] = [
    "able", "agile", "airy", "amber", "ample", "ardent", "autumn", "avid", "balmy", "bold",
    "brave", "breezy", "bright", "brisk", "calm", "candid", "cheery", "civil", "clear", "clever",
    "copper", "cosy", "crisp", "curious", "dapper", "daring", "deft", "diligent", "eager", "early",
    "earnest", "easy", "fair", "fearless", "fleet", "fluent", "fond", "frank", "fresh", "frugal",
    "gentle", "glad", "golden", "grand", "hardy", "hasty", "honest", "hopeful", "humble", "jolly",
    "keen", "kind", "lively", "loyal", "lucid", "lucky", "lunar", "mellow", "merry", "mighty",
    "mild", "modest", "neat", "nimble", "noble", "patient", "placid", "plucky", "polite", "proud",
    "prudent", "quick", "quiet", "rapid", "ready", "robust", "rustic", "sandy", "serene", "sharp",
    "silent", "simple", "sincere", "solar", "solid", "spry", "steady", "sturdy", "subtle", "sunny",
    "swift", "tidy", "vivid", "warm", "wise", "witty",
];

const SURNAMES: [&str; 96] = [
    "abel",
    "agnesi",
    "ampere",
    "anning",
    "archimedes",
    "babbage",
    "banach",
    "bell",
    "bernoulli",
    "bohr",
    "boole",
    "born",
    "bose",
    "brahe",
    "cantor",
    "carson",
    "cauchy",
    "cavendish",
    "cerf",
    "chandra",
    "church",
    "clarke",
    "copernicus",
    "cori",
    "coulomb",
    "curie",
    "cuvier",
    "dalton",
    "darwin",
    "descartes",
    "dirac",
    "dijkstra",
    "edison",
    "einstein",
    "erdos",
    "euclid",
    "euler",
    "faraday",
    "fermat",
    "fermi",
    "feynman",
    "fibonacci",
    "fourier",
    "franklin",
    "galileo",
    "galois",
    "gauss",
    "germain",
    "goedel",
    "halley",
    "hamilton",
    "heisenberg",
    "herschel",
    "hertz",
    "hilbert",
    "hooke",
    "hopper",
    "hubble",
    "huygens",
    "hypatia",
    "joule",
    "kelvin",
    "kepler",
    "khayyam",
    "kovalevskaya",
    "lagrange",
    "lamarr",
    "laplace",
    "lavoisier",
    "leavitt",
    "leibniz",
    "lovelace",
    "maxwell",
    "meitner",
    "mendel",
    "mendeleev",
    "mirzakhani",
    "napier",
    "newton",
    "nightingale",
    "noether",
    "ohm",
    "pascal",
    "pasteur",
    "payne",
    "planck",
    "poincare",
    "ramanujan",
    "ritchie",
    "rubin",
    "rutherford",
    "shannon",
    "somerville",
    "turing",
    "volta",
    "wu",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule() {
        for good in ["a", "0", "web-1", "A.b_c-d", &"x".repeat(255)] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "-a",
            ".a",
            "_a",
            "a b",
            "a/b",
            "ä",
            "a\n",
            &"x".repeat(256),
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn generated_names_keep_the_rule_and_differ() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..96 * 96 {
            let name = generate(seed);
            assert!(check(&name).is_ok() && name.contains('_'), "{name}");
            assert!(seen.insert(name), "{seed}");
        }
    }

    #[test]
    fn ids_are_64_hex_digits() {
        let (id, _) = new_id().expect("random bytes");
        assert!(
            id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit()),
            "{id}"
        );
    }
}
