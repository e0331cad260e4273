//! Rows of whole numbers as text: five bits a letter, so that a small number is one letter.

/// Letters that mean themselves in JSON and in HTML.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Numbers, one after the other: the lowest five bits first, each letter but a number's last with the sixth bit set.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub(super) struct Numbers(String);

impl Numbers {
    /// Appends a number.
    pub(super) fn push(&mut self, mut number: u64) {
        while number > 31 {
            self.letter(number & 31 | 32);
            number >>= 5;
        }
        self.letter(number);
    }

    /// Appends a difference, which may be negative: its sign is the lowest bit.
    pub(super) fn push_signed(&mut self, number: i64) {
        self.push((number << 1 ^ number >> 63) as u64);
    }

    fn letter(&mut self, bits: u64) {
        self.0.push(char::from(LETTERS[bits as usize]));
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// As the page's own script reads them.
    pub(in super::super) fn read(text: &str) -> Vec<u64> {
        let mut numbers = Vec::new();
        let (mut number, mut shift) = (0, 0);
        for letter in text.bytes() {
            let bits = LETTERS.iter().position(|&known| known == letter).unwrap() as u64;
            number |= (bits & 31) << shift;
            shift += 5;
            if bits < 32 {
                numbers.push(number);
                (number, shift) = (0, 0);
            }
        }
        numbers
    }

    #[test]
    fn numbers_come_back() {
        let all = [0, 1, 31, 32, 1_000, u64::from(u32::MAX), 1 << 53, u64::MAX];
        let mut numbers = Numbers::default();
        all.iter().for_each(|&number| numbers.push(number));
        assert_eq!(read(&numbers.0), all);
    }

    #[test]
    fn small_differences_are_one_letter() {
        let mut numbers = Numbers::default();
        for number in [0, -1, 1, -16, 15, i64::MIN] {
            numbers.push_signed(number);
        }
        assert_eq!(&numbers.0[..5], "ABCfe");
        assert_eq!(read(&numbers.0)[5], u64::MAX);
    }
}
