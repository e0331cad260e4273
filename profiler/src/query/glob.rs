//! `*` and `?` in names.

/// Patterns of which one is to match: `*` is any text, `?` any character, everything else itself. They match whole
/// names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(Vec<Vec<char>>);

impl Glob {
    /// The pattern as a person types it.
    pub fn new(pattern: &str) -> Self {
        Self::any([pattern])
    }

    /// Several of them.
    pub fn any<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Self {
        Self(
            patterns
                .into_iter()
                .map(|pattern| pattern.chars().collect())
                .collect(),
        )
    }

    /// Whether the whole of `name` matches. Time is bounded by the product of the lengths.
    pub fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        self.0.iter().any(|pattern| matches(pattern, &name))
    }
}

fn matches(pattern: &[char], name: &[char]) -> bool {
    let (mut p, mut n) = (0, 0);
    // Where to go on when the latest `*` has to take one character more. Earlier ones never have to.
    let mut retry: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p + 1, n));
                p += 1;
            }
            Some(&c) if c == '?' || c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => {
                let Some((after_star, taken)) = retry else {
                    return false;
                };
                retry = Some((after_star, taken + 1));
                (p, n) = (after_star, taken + 1);
            }
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

impl std::fmt::Display for Glob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, pattern) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}", pattern.iter().collect::<String>())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Glob::new(pattern).matches(name)
    }

    #[test]
    fn stars_and_question_marks() {
        assert!(matches("redis*", "redis-server"));
        assert!(matches("*server", "redis-server"));
        assert!(matches("*s*s*", "redis-server"));
        assert!(matches("k?orker", "kworker"));
        assert!(matches("*", ""));
        assert!(matches("gr?ße", "größe"));
        assert!(!matches("redis", "redis-server"));
        assert!(!matches("server", "redis-server"));
        assert!(!matches("?", ""));
        assert!(!matches("a*b", "ac"));
        assert!(matches("a*bc", "abbc"));
    }

    #[test]
    fn one_of_several_is_enough() {
        let glob = Glob::any(["redis*", "nginx"]);
        assert!(glob.matches("nginx") && glob.matches("redis-server"));
        assert!(!glob.matches("nginx2"));
    }

    #[test]
    fn many_stars_do_not_explode() {
        assert!(!matches(&"*a".repeat(200), &"a".repeat(199)));
        assert!(matches(&"*a".repeat(200), &"a".repeat(4_000)));
    }
}
