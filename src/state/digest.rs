//! Digests of content, parsed to bytes at the border (image-spec `descriptor.md`, Digests).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256, Sha512};

use crate::error::{Error, Kind};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    Sha256,
    Sha512,
}

impl Algorithm {
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Sha256 => "sha256",
            Algorithm::Sha512 => "sha512",
        }
    }

    fn len(self) -> usize {
        match self {
            Algorithm::Sha256 => 32,
            Algorithm::Sha512 => 64,
        }
    }
}

/// `sha256:…` or `sha512:…`, as bytes: whatever it came from can no longer smuggle a path.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    algorithm: Algorithm,
    /// Zero beyond `algorithm.len()`.
    bytes: [u8; 64],
}

impl Digest {
    pub fn sha256_of(content: &[u8]) -> Self {
        Hasher::new(Algorithm::Sha256).chain(content).finish()
    }

    /// From the 64 hex digits of an id.
    pub fn from_sha256_hex(hex: &str) -> Result<Self, Error> {
        Self::from_parts(Algorithm::Sha256, hex).ok_or_else(|| malformed(hex))
    }

    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The lower case hex digits, without the algorithm.
    pub fn hex(&self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let bytes = &self.bytes[..self.algorithm.len()];
        bytes
            .iter()
            .flat_map(|b| [b >> 4, b & 15])
            .map(|n| char::from(DIGITS[usize::from(n)]))
            .collect()
    }

    /// A hasher whose result can be compared with this digest.
    pub fn hasher(&self) -> Hasher {
        Hasher::new(self.algorithm)
    }

    fn from_parts(algorithm: Algorithm, hex: &str) -> Option<Self> {
        let hex = hex.as_bytes();
        if hex.len() != 2 * algorithm.len() {
            return None;
        }
        let mut bytes = [0; 64];
        for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Some(Self { algorithm, bytes })
    }
}

/// Lower case only: image-spec allows one spelling, and two would be two names of one blob.
fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

fn malformed(text: &str) -> Error {
    let shown: String = text.chars().take(100).collect();
    Error::new(
        Kind::Corrupt,
        format!("parse digest \"{shown}\": want sha256 or sha512 and lower case hex digits"),
    )
}

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parsed = match text.split_once(':') {
            Some(("sha256", hex)) => Self::from_parts(Algorithm::Sha256, hex),
            Some(("sha512", hex)) => Self::from_parts(Algorithm::Sha512, hex),
            _ => None,
        };
        parsed.ok_or_else(|| malformed(text))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Computes a [`Digest`] piece by piece.
#[derive(Clone)]
pub struct Hasher(Inner);

#[derive(Clone)]
enum Inner {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    pub fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Sha256 => Inner::Sha256(Sha256::new()),
            Algorithm::Sha512 => Inner::Sha512(Sha512::new()),
        })
    }

    pub fn update(&mut self, content: &[u8]) {
        match &mut self.0 {
            Inner::Sha256(hash) => hash.update(content),
            Inner::Sha512(hash) => hash.update(content),
        }
    }

    #[must_use]
    pub fn chain(mut self, content: &[u8]) -> Self {
        self.update(content);
        self
    }

    pub fn finish(self) -> Digest {
        let mut bytes = [0; 64];
        let algorithm = match self.0 {
            Inner::Sha256(hash) => {
                bytes[..32].copy_from_slice(&hash.finalize());
                Algorithm::Sha256
            }
            Inner::Sha512(hash) => {
                bytes.copy_from_slice(&hash.finalize());
                Algorithm::Sha512
            }
        };
        Digest { algorithm, bytes }
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Inner::Sha256(_) => "Hasher(sha256)",
            Inner::Sha512(_) => "Hasher(sha512)",
        })
    }
}

/// A type of digest that cannot be mistaken for another.
macro_rules! digest_kind {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Digest);

        impl $name {
            pub fn digest(&self) -> &Digest {
                &self.0
            }
        }

        impl From<Digest> for $name {
            fn from(digest: Digest) -> Self {
                Self(digest)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                text.parse().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

digest_kind! {
    /// Digest of a layer as it travels, usually compressed (image-spec `descriptor.md`).
    LayerDigest
}
digest_kind! {
    /// Digest of the same layer as a plain tar (image-spec `config.md`, `rootfs.diff_ids`).
    DiffId
}
digest_kind! {
    /// Digest of a layer on top of all below it (image-spec `config.md`, Layer ChainID).
    ChainId
}

impl ChainId {
    /// The chain id of a layer on top of `below`: `sha256(below + " " + diff_id)`, and the lowest one's is its diff id.
    pub fn on(below: Option<&ChainId>, layer: &DiffId) -> ChainId {
        match below {
            None => ChainId(layer.0),
            Some(below) => ChainId(Digest::sha256_of(format!("{below} {layer}").as_bytes())),
        }
    }

    /// The chain ids of all layers of an image, lowest first.
    pub fn of_all(layers: &[DiffId]) -> Vec<ChainId> {
        let mut chain: Vec<ChainId> = Vec::with_capacity(layers.len());
        for layer in layers {
            chain.push(ChainId::on(chain.last(), layer));
        }
        chain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn digests_are_parsed_or_refused() {
        let hex64 = &EMPTY[7..];
        let long = hex64.repeat(2);
        let good = [EMPTY.to_string(), format!("sha512:{long}")];
        for text in &good {
            assert_eq!(&text.parse::<Digest>().unwrap().to_string(), text);
        }
        let bad = [
            String::new(),
            "sha256:".into(),
            "sha256".into(),
            hex64.to_string(),
            format!("sha256:{long}"),
            format!("sha512:{hex64}"),
            format!("md5:{}", &hex64[..32]),
            format!("sha256:{}", hex64.to_uppercase()),
            format!("SHA256:{hex64}"),
            format!("sha256:../../../../{}", &hex64[12..]),
            format!("sha256:{}/", &hex64[1..]),
            format!("sha256:{hex64}\n"),
            format!(" sha256:{hex64}"),
            format!("sha256+b64:{hex64}"),
            format!("sha256:{}é", &hex64[2..]),
        ];
        for text in bad {
            let err = text.parse::<Digest>().unwrap_err();
            assert_eq!(err.kind(), Kind::Corrupt, "{text:?}");
        }
    }

    #[test]
    fn content_hashes_to_its_digest() {
        assert_eq!(Digest::sha256_of(b"").to_string(), EMPTY);
        let sha512 = Hasher::new(Algorithm::Sha512).chain(b"abc").finish();
        assert!(
            sha512
                .to_string()
                .starts_with("sha512:ddaf35a193617abacc41")
        );
        assert_eq!(sha512.hasher().chain(b"a").chain(b"bc").finish(), sha512);
    }

    #[test]
    fn a_digest_is_a_string_in_json() {
        let digest: Digest = EMPTY.parse().unwrap();
        let text = serde_json::to_string(&DiffId::from(digest)).unwrap();
        assert_eq!(text, format!("\"{EMPTY}\""));
        assert_eq!(serde_json::from_str::<Digest>(&text).unwrap(), digest);
        assert!(serde_json::from_str::<Digest>("\"sha256:../x\"").is_err());
    }

    #[test]
    fn chain_ids_follow_the_image_spec() {
        let a = DiffId::from(Digest::sha256_of(b"a"));
        let b = DiffId::from(Digest::sha256_of(b"b"));
        let chain = ChainId::of_all(&[a, b]);
        assert_eq!(chain[0].digest(), a.digest());
        // echo -n "sha256:ca97… sha256:3e23…" | sha256sum
        let want = Digest::sha256_of(format!("{a} {b}").as_bytes());
        assert_eq!(chain[1].digest(), &want);
        assert_ne!(chain[1], ChainId::of_all(&[b, a])[1]);
    }
}
