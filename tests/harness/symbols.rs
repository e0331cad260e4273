//! The functions that a binary's own symbol tables name: which frames could have had a name, by an independent reader.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
};

use object::{Object as _, ObjectSymbol as _, SymbolKind};

/// A function in a symbol table.
#[derive(Clone, Debug, Default)]
pub struct Symbol {
    /// How many bytes of code it has.
    pub size: u64,
    /// All its names: `write`, `__write`, `__GI___libc_write`.
    pub names: Vec<String>,
}

/// Functions by their virtual address.
type Table = BTreeMap<u64, Symbol>;

/// Symbol tables of binaries and of their separate debug files, read when first asked for.
#[derive(Debug, Default)]
pub struct Symbols(HashMap<String, Table>);

impl Symbols {
    /// The function whose extent covers `address` (a virtual address of the file), and where it starts; `None` also if
    /// the file cannot be read.
    pub fn at(&mut self, path: &str, address: u64) -> Option<(u64, &Symbol)> {
        let (&start, symbol) = self.table(path).range(..=address).next_back()?;
        (address < start + symbol.size).then_some((start, symbol))
    }

    /// Where the function `name` starts, of which byte `offset` was executed at the absolute address `executed`. Of
    /// several functions with that name it is the one that fits: binaries are moved by whole pages.
    pub fn start_of(&mut self, path: &str, name: &str, offset: u64, executed: u64) -> Option<u64> {
        let in_page = |address: u64| address & 0xfff;
        self.table(path)
            .iter()
            .filter(|(start, symbol)| {
                offset < symbol.size && in_page(start.wrapping_add(offset)) == in_page(executed)
            })
            .find(|(_, symbol)| symbol.names.iter().any(|own| own == name))
            .map(|(start, _)| *start)
    }

    fn table(&mut self, path: &str) -> &Table {
        self.0.entry(path.to_owned()).or_insert_with(|| {
            let mut table = Table::new();
            let debug_file = read(path, &mut table).flatten();
            if let Some(debug_file) = debug_file {
                read(&debug_file, &mut table);
            }
            table
        })
    }
}

/// Adds the functions of a file; gives the path that its debug file would have. `None` if it cannot be read.
fn read(path: &str, table: &mut Table) -> Option<Option<String>> {
    let bytes = fs::read(path).ok()?;
    let file = object::File::parse(&*bytes).ok()?;
    for symbol in file.symbols().chain(file.dynamic_symbols()) {
        // Functions that are chosen at start-up (IFUNC) are code too, though `object` has no word for them.
        let function = matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Unknown);
        if function && symbol.is_definition() && symbol.size() > 0 {
            let entry = table.entry(symbol.address()).or_default();
            entry.size = entry.size.max(symbol.size());
            let name = symbol.name().unwrap_or_default().to_owned();
            // `memcpy@@GLIBC_2.14` in a debug file is `memcpy`.
            let name = name.split('@').next().unwrap_or_default().to_owned();
            if !entry.names.contains(&name) {
                entry.names.push(name);
            }
        }
    }
    let id = file.build_id().ok().flatten()?;
    let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    let (directory, rest) = hex.split_at_checked(2)?;
    Some(Some(format!("/usr/lib/debug/.build-id/{directory}/{rest}.debug")))
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
        assert!(symbols.at(path, 1).is_none());
        assert!(symbols.at("/does/not/exist", 4096).is_none());
    }
}
