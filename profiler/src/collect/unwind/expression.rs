//! From one row of call frame information to a rule, DWARF expressions included.

use gimli::{
    CfaRule, EhFrame, Encoding, EndianSlice, LittleEndian, Operation, Register, RegisterRule,
    UnwindExpression,
};
use profiler_common::unwind::{RULE_BX_LOST, Rule, bp, cfa};

type Bytes<'data> = EndianSlice<'data, LittleEndian>;

// Register numbers of the System V ABI for x86-64, figure 3.36.
pub(super) const RBX: Register = Register(3);
pub(super) const RBP: Register = Register(6);
const RSP: Register = Register(7);
pub(super) const RA: Register = Register(16);

/// What the linkers write for procedure linkage tables: `rsp + 8 + (((rip & 15) >= N) << 3)`, less the `N`.
const PLT_BEGIN: [u8; 6] = [0x77, 8, 0x80, 0, 0x3f, 0x1a];
const PLT_END: [u8; 4] = [0x2a, 0x33, 0x24, 0x22];
const DW_OP_LIT0: u8 = 0x30;

/// Offsets of the saved `rsp` and `rip` from the stack pointer in a signal's return trampoline
/// (arch/x86/include/uapi/asm/sigcontext.h).
const SIGNAL_RSP: i64 = 160;
const SIGNAL_RIP: i64 = 168;

/// One row of call frame information: the rules for the CFA, `rbp`, `rbx` and the return address.
pub(super) struct Row<'a> {
    pub(super) cfa: &'a CfaRule<usize>,
    pub(super) rbp: Option<RegisterRule<usize>>,
    pub(super) rbx: Option<RegisterRule<usize>>,
    pub(super) ra: Option<RegisterRule<usize>>,
}

/// What an expression computes, of the few kinds that compilers write.
#[derive(Debug, PartialEq, Eq)]
enum Value {
    /// `register + offset`.
    Register { register: Register, offset: i64 },
    /// `*(register + offset) + add`.
    Deref {
        register: Register,
        offset: i64,
        add: i64,
    },
    /// See [`PLT_BEGIN`].
    Plt(u8),
}

/// The rule that says the same as `row`, or [`cfa::UNSUPPORTED`].
pub(super) fn rule(section: &EhFrame<Bytes<'_>>, encoding: Encoding, row: Row<'_>) -> Rule {
    supported(section, encoding, row).unwrap_or(Rule::of(cfa::UNSUPPORTED))
}

fn supported(section: &EhFrame<Bytes<'_>>, encoding: Encoding, row: Row<'_>) -> Option<Rule> {
    let value = |expression: &UnwindExpression<usize>| {
        let bytes = expression.get(section).ok()?.0;
        evaluate(bytes, encoding)
    };
    let cfa = match row.cfa {
        CfaRule::RegisterAndOffset { register, offset } => Value::Register {
            register: *register,
            offset: *offset,
        },
        CfaRule::Expression(expression) => value(expression)?,
    };
    match row.ra? {
        RegisterRule::Undefined => return Some(Rule::END),
        RegisterRule::Offset(-8) => {}
        RegisterRule::Expression(expression) => {
            // The trampoline that returns from a signal: everything is in the kernel's signal frame.
            let saved_rsp = Value::Deref {
                register: RSP,
                offset: SIGNAL_RSP,
                add: 0,
            };
            let saved_rip = Value::Register {
                register: RSP,
                offset: SIGNAL_RIP,
            };
            let is_signal = cfa == saved_rsp && value(&expression)? == saved_rip;
            return is_signal.then_some(Rule::of(cfa::SIGNAL));
        }
        _ => return None,
    }
    let mut rule = Rule::NONE;
    match cfa {
        Value::Register { register, offset } => {
            rule.cfa = match register {
                RSP => cfa::SP,
                RBP => cfa::BP,
                RBX => cfa::BX,
                Register(number @ 0..16) => {
                    rule.cfa_add = number.into();
                    cfa::REGISTER
                }
                _ => return None,
            };
            rule.cfa_offset = offset.try_into().ok()?;
        }
        Value::Deref {
            register,
            offset,
            add,
        } => {
            rule.cfa = match register {
                RSP => cfa::DEREF_SP,
                RBP => cfa::DEREF_BP,
                _ => return None,
            };
            rule.cfa_offset = offset.try_into().ok()?;
            rule.cfa_add = add.try_into().ok()?;
        }
        Value::Plt(offset) => {
            rule.cfa = cfa::PLT;
            rule.cfa_offset = offset.into();
        }
    }
    match row.rbp {
        // Where a function says that the caller's `rbp` is lost, its caller does not need it.
        None | Some(RegisterRule::SameValue | RegisterRule::Undefined) => {}
        Some(RegisterRule::Offset(offset)) => {
            rule.bp = bp::AT_CFA;
            rule.bp_offset = offset.try_into().ok()?;
        }
        Some(RegisterRule::Expression(expression)) => match value(&expression)? {
            Value::Register {
                register: RBP,
                offset,
            } => {
                rule.bp = bp::AT_BP;
                rule.bp_offset = offset.try_into().ok()?;
            }
            _ => return None,
        },
        _ => return None,
    }
    rule.bx = match row.rbx {
        None | Some(RegisterRule::SameValue) => 0,
        Some(RegisterRule::Offset(offset))
            if offset < 0 && offset % 8 == 0 && offset > -8 * i64::from(RULE_BX_LOST) =>
        {
            (-offset / 8) as u8
        }
        _ => RULE_BX_LOST,
    };
    Some(rule)
}

fn evaluate(bytes: Bytes<'_>, encoding: Encoding) -> Option<Value> {
    if let [begin @ .., literal, e0, e1, e2, e3] = bytes.slice()
        && begin == PLT_BEGIN
        && [*e0, *e1, *e2, *e3] == PLT_END
        && (DW_OP_LIT0..DW_OP_LIT0 + 16).contains(literal)
    {
        return Some(Value::Plt(literal - DW_OP_LIT0));
    }
    let mut bytes = bytes;
    let mut next = || match bytes.is_empty() {
        true => Some(None),
        false => Operation::parse(&mut bytes, encoding).ok().map(Some),
    };
    let Some(Operation::RegisterOffset { register, offset, .. }) = next()? else {
        return None;
    };
    match next()? {
        None => return Some(Value::Register { register, offset }),
        Some(Operation::Deref {
            size: 8,
            space: false,
            ..
        }) => {}
        _ => return None,
    }
    let add = match next()? {
        None => 0,
        Some(Operation::PlusConstant { value }) => value.try_into().ok()?,
        Some(constant) => {
            let add = match constant {
                Operation::UnsignedConstant { value } => value.try_into().ok()?,
                Operation::SignedConstant { value } => value,
                _ => return None,
            };
            match next()? {
                Some(Operation::Plus) => add,
                _ => return None,
            }
        }
    };
    next()?.is_none().then_some(Value::Deref {
        register,
        offset,
        add,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENCODING: Encoding = Encoding {
        address_size: 8,
        format: gimli::Format::Dwarf32,
        version: 4,
    };

    fn value(bytes: &[u8]) -> Option<Value> {
        evaluate(EndianSlice::new(bytes, LittleEndian), ENCODING)
    }

    #[test]
    fn both_variants_of_plt_entries_are_known() {
        for n in [10, 11] {
            let mut bytes = PLT_BEGIN.to_vec();
            bytes.push(DW_OP_LIT0 + n);
            bytes.extend(PLT_END);
            assert_eq!(value(&bytes), Some(Value::Plt(n)));
            bytes.push(0x22);
            assert_eq!(value(&bytes), None);
        }
    }

    #[test]
    fn dereferences_with_and_without_an_addition() {
        let deref = |offset, add| {
            Some(Value::Deref {
                register: RBP,
                offset,
                add,
            })
        };
        assert_eq!(value(&[0x76, 0x78, 0x06]), deref(-8, 0));
        assert_eq!(value(&[0x76, 0x78, 0x06, 0x23, 16]), deref(-8, 16));
        assert_eq!(value(&[0x76, 0x78, 0x06, 0x09, 0xf8, 0x22]), deref(-8, -8));
        // Nothing may follow, and nothing else may be dereferenced.
        assert_eq!(value(&[0x76, 0x78, 0x06, 0x06]), None);
        assert_eq!(value(&[0x76, 0x78, 0x94, 4]), None);
        assert_eq!(value(&[0x76]), None);
        assert_eq!(value(&[]), None);
    }
}
