//! Log-linear histograms: eight buckets an octave, so that no value is more than 12.5 % above its bucket's begin, and the
//! middle of a bucket is at most 6.25 % wrong.

/// Bits of a value below its highest one that choose the bucket.
const SUB_BITS: u32 = 3;
/// Values below this have no bucket of their own: 64 ns is less than the clock is worth.
const FIRST_BITS: u32 = 6;
/// Octaves: 64 ns to 128 s. What is longer is in the last bucket.
const OCTAVES: u32 = 31;
/// Buckets of a histogram. Bucket 0 holds all that is below 64.
pub const BUCKETS: usize = (OCTAVES << SUB_BITS) as usize + 1;

/// The bucket of a value.
#[inline(always)]
pub fn bucket(value: u64) -> u32 {
    if value < 1 << FIRST_BITS {
        return 0;
    }
    let octave = highest_bit(value) - FIRST_BITS;
    if octave >= OCTAVES {
        return BUCKETS as u32 - 1;
    }
    let sub = (value >> (octave + FIRST_BITS - SUB_BITS)) as u32 & ((1 << SUB_BITS) - 1);
    1 + (octave << SUB_BITS) + sub
}

/// The least value of a bucket.
pub fn lower_bound(bucket: u32) -> u64 {
    if bucket == 0 {
        return 0;
    }
    let (octave, sub) = (
        (bucket - 1) >> SUB_BITS,
        u64::from((bucket - 1) & ((1 << SUB_BITS) - 1)),
    );
    ((1 << SUB_BITS) + sub) << (octave + FIRST_BITS - SUB_BITS)
}

/// The number of the highest bit that is set; 0 for 0. BPF has no instruction for it, and no comparison that is not a
/// branch; the verifier would follow each. So a difference's sign tells what is larger.
#[inline(always)]
fn highest_bit(value: u64) -> u32 {
    let mut value = value;
    let mut bit = 0;
    let mut width = 32;
    while width > 0 {
        // All ones if the value has bits above `width`. Half of it, so that its highest bit is no sign.
        let above = ((((1 << (width - 1)) - 1) - (value >> 1) as i64) >> 63) as u64;
        let step = width & above;
        value >>= step;
        bit += step;
        width >>= 1;
    }
    bit as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_its_bucket() {
        let mut values: Vec<u64> = (0..300).collect();
        values.extend((6..63).flat_map(|bit| [(1u64 << bit) - 1, 1 << bit, (1 << bit) + 1, 3 << (bit - 1)]));
        for value in values {
            let bucket = bucket(value);
            assert!((bucket as usize) < BUCKETS);
            assert!(lower_bound(bucket) <= value, "{value}");
            if bucket as usize + 1 < BUCKETS {
                assert!(value < lower_bound(bucket + 1), "{value}");
            }
        }
    }

    #[test]
    fn buckets_are_narrow() {
        for bucket in 1..BUCKETS as u32 - 1 {
            let (low, high) = (lower_bound(bucket), lower_bound(bucket + 1));
            assert!((high - low) as f64 / low as f64 <= 0.125, "{bucket}");
        }
    }

    #[test]
    fn highest_bits() {
        for bit in 0..64 {
            assert_eq!(highest_bit(1 << bit), bit);
            assert_eq!(highest_bit(u64::MAX >> (63 - bit)), bit);
        }
    }
}
