//! The functions that a binary's own symbol tables name: which frames could have had a name, by an independent reader.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
};

use object::{Object as _, ObjectSymbol as _, SymbolKind};

/// Symbol tables of binaries, read when first asked for.
#[derive(Debug, Default)]
pub struct Symbols(HashMap<String, BTreeMap<u64, (u64, String)>>);

impl Symbols {
    /// The symbol whose extent covers `address` (a virtual address of the file); `None` also if it cannot be read.
    pub fn at(&mut self, path: &str, address: u64) -> Option<&str> {
        let (start, (size, name)) = self.table(path).range(..=address).next_back()?;
        (address < start + size).then_some(name.as_str())
    }

    /// The extent of the function `name`, in bytes; `None` if no symbol table has it.
    pub fn size_of(&mut self, path: &str, name: &str) -> Option<u64> {
        self.table(path)
            .values()
            .filter(|(_, symbol)| symbol == name)
            .map(|(size, _)| *size)
            .max()
    }

    fn table(&mut self, path: &str) -> &BTreeMap<u64, (u64, String)> {
        self.0
            .entry(path.to_owned())
            .or_insert_with(|| read(path).unwrap_or_default())
    }
}

fn read(path: &str) -> Option<BTreeMap<u64, (u64, String)>> {
    let bytes = fs::read(path).ok()?;
    let file = object::File::parse(&*bytes).ok()?;
    let mut table = BTreeMap::new();
    for symbol in file.symbols().chain(file.dynamic_symbols()) {
        if symbol.kind() == SymbolKind::Text && symbol.is_definition() && symbol.size() > 0 {
            let name = symbol.name().unwrap_or_default().to_owned();
            table.insert(symbol.address(), (symbol.size(), name));
        }
    }
    Some(table)
}

/// A function's name without its parameters and what follows them: `a::f(int) const` is `a::f`, as perf writes it.
pub fn bare_name(name: &str) -> &str {
    let Some(end) = name.rfind(')') else {
        return name;
    };
    let mut depth = 0;
    for (at, character) in name[..=end].char_indices().rev() {
        match character {
            ')' => depth += 1,
            '(' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            // `operator()` and `(anonymous namespace)::f` are names, not parameters.
            let behind = name[end + 1..].starts_with("::");
            let operator = name[..at].ends_with("operator");
            return if at == 0 || behind || operator {
                name
            } else {
                &name[..at]
            };
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_not_part_of_a_name() {
        assert_eq!(bare_name("shapes::Circle::area()"), "shapes::Circle::area");
        assert_eq!(bare_name("f(int (*)(char), a::b) const"), "f");
        assert_eq!(bare_name("main"), "main");
        assert_eq!(bare_name("(anonymous namespace)::f"), "(anonymous namespace)::f");
        assert_eq!(bare_name("a::operator()(int)"), "a::operator()");
        assert_eq!(bare_name("broken)"), "broken)");
    }

    #[test]
    fn own_symbols_are_found_and_nothing_is_invented() {
        let path = std::env::current_exe().expect("the test's own path");
        let path = path.to_str().expect("a plain path");
        let mut symbols = Symbols::default();
        assert!(symbols.table(path).len() > 100);
        assert_eq!(symbols.at(path, 1), None);
        assert_eq!(symbols.at("/does/not/exist", 4096), None);
    }
}
