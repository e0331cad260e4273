//! The one dictionary of rules: every executable's rows name their rules by the same numbers.

use profiler_common::unwind::{MAX_RULES, RULE_END, RULE_NONE, Rule, cfa};
use rustc_hash::FxHashMap;

/// The id of the rule that nobody can follow; also given where the dictionary is full.
pub const RULE_UNSUPPORTED: u16 = 2;

/// Distinct rules and their ids, which are their positions. Rules are never removed.
#[derive(Clone, Debug)]
pub struct Rules {
    rules: Vec<Rule>,
    ids: FxHashMap<Rule, u16>,
    overflow: u64,
}

impl Default for Rules {
    fn default() -> Self {
        Self::new()
    }
}

impl Rules {
    /// The rules whose ids are fixed: none, end, unsupported.
    pub fn new() -> Self {
        let rules = vec![Rule::NONE, Rule::END, Rule::of(cfa::UNSUPPORTED)];
        debug_assert_eq!(rules[RULE_NONE as usize], Rule::NONE);
        debug_assert_eq!(rules[RULE_END as usize], Rule::END);
        let ids = rules.iter().zip(0..).map(|(rule, id)| (*rule, id)).collect();
        Self {
            rules,
            ids,
            overflow: 0,
        }
    }

    /// The id of `rule`; if it is new and there is no room, [`RULE_UNSUPPORTED`], and it is counted.
    pub fn intern(&mut self, rule: Rule) -> u16 {
        if let Some(id) = self.ids.get(&rule) {
            return *id;
        }
        if self.rules.len() >= MAX_RULES as usize {
            self.overflow += 1;
            return RULE_UNSUPPORTED;
        }
        let id = self.rules.len() as u16;
        self.rules.push(rule);
        self.ids.insert(rule, id);
        id
    }

    /// The rule with the given id.
    pub fn get(&self, id: u32) -> Option<&Rule> {
        self.rules.get(id as usize)
    }

    /// How many there are; never 0, for some ids are fixed.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> u32 {
        self.rules.len() as u32
    }

    /// The rules from id `first` on: what is to be uploaded when `first` of them were before.
    pub fn since(&self, first: u32) -> &[Rule] {
        self.rules.get(first as usize..).unwrap_or_default()
    }

    /// How many times a new rule found no room.
    pub fn overflow(&self) -> u64 {
        self.overflow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(offset: i32) -> Rule {
        Rule {
            cfa_offset: offset,
            ..Rule::of(cfa::SP)
        }
    }

    #[test]
    fn the_fixed_ids_name_the_fixed_rules() {
        let mut rules = Rules::new();
        assert_eq!(u32::from(rules.intern(Rule::NONE)), RULE_NONE);
        assert_eq!(u32::from(rules.intern(Rule::END)), RULE_END);
        assert_eq!(rules.intern(Rule::of(cfa::UNSUPPORTED)), RULE_UNSUPPORTED);
        assert_eq!(rules.len(), 3);
    }

    #[test]
    fn a_rule_keeps_its_id_and_only_new_ones_are_uploaded() {
        let mut rules = Rules::new();
        let first = rules.intern(rule(8));
        let before = rules.len();
        assert_eq!(rules.intern(rule(8)), first);
        assert!(rules.since(before).is_empty());
        rules.intern(rule(16));
        assert_eq!(rules.since(before), [rule(16)]);
        assert!(rules.since(99_999).is_empty());
    }

    #[test]
    fn a_full_dictionary_says_unsupported_and_counts() {
        let mut rules = Rules::new();
        for offset in 0..MAX_RULES as i32 + 5 {
            rules.intern(rule(offset));
        }
        assert_eq!(rules.len(), MAX_RULES);
        assert_eq!(rules.overflow(), 5 + 3);
        assert_eq!(rules.intern(rule(-1)), RULE_UNSUPPORTED);
        assert_ne!(
            rules.intern(rule(0)),
            RULE_UNSUPPORTED,
            "old rules keep their ids"
        );
    }
}
