//! Chance, the same one every time.

/// A coin.
#[derive(Debug)]
pub(super) struct Coin(u64);

impl Default for Coin {
    fn default() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }
}

impl Coin {
    /// 64 random bits.
    pub(super) fn bits(&mut self) -> u64 {
        // xorshift64*: https://en.wikipedia.org/wiki/Xorshift
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Whether it falls the right way, which it does with this chance.
    pub(super) fn falls(&mut self, chance: f64) -> bool {
        ((self.bits() >> 11) as f64) < chance * (1u64 << 53) as f64
    }
}
