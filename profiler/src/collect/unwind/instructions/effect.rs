//! What one instruction does to the stack pointer and the frame pointer.

use iced_x86::{FlowControl, Instruction, Mnemonic, OpKind, Register};
use profiler_common::unwind::{Rule, bp, cfa};

/// What is known between two instructions of a function. The CFA is what the stack pointer was before the call that led
/// into the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// How far below the CFA the stack pointer is, in bytes.
    depth: Option<i32>,
    /// How far below it the frame pointer is, if it points into this function's frame.
    frame: Option<i32>,
    caller_bp: CallerBp,
}

/// Where the caller's frame pointer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CallerBp {
    /// Still in its register.
    InRegister,
    /// Saved, so many bytes below the CFA.
    Saved(i32),
    /// It was set to zero and not saved: there is no caller (System V ABI for x86-64, 3.4.1).
    Nowhere,
}

/// A function that was just called.
pub(super) const ENTERED: State = State {
    depth: Some(8),
    frame: None,
    caller_bp: CallerBp::InRegister,
};

impl State {
    /// How to find the caller from here.
    pub(super) fn rule(self) -> Rule {
        let (kind, offset) = match (self.caller_bp, self.frame, self.depth) {
            (CallerBp::Nowhere, ..) => return Rule::END,
            // In machine code of JavaScript, who is called takes its arguments off the stack.
            (_, Some(frame), _) => (cfa::BP, frame),
            (_, None, Some(depth)) => (cfa::SP, depth),
            // Not known; callers that keep frame pointers are still found.
            (_, None, None) => return Rule::NONE,
        };
        let (bp, bp_offset) = match self.caller_bp {
            CallerBp::Saved(below) => (bp::AT_CFA, -below),
            _ => (bp::SAME, 0),
        };
        Rule {
            cfa_offset: offset,
            bp,
            bp_offset,
            ..Rule::of(kind)
        }
    }

    /// What is known behind `instruction`.
    pub(super) fn after(mut self, instruction: &Instruction) -> Self {
        use Register::{RBP, RSP};
        let [to, from] = [0, 1].map(|n| register(instruction, n));
        match instruction.mnemonic() {
            Mnemonic::Push if to == RBP => {
                self.lower(8);
                self.save(self.depth);
            }
            Mnemonic::Pop if to == RBP => {
                self.lower(-8);
                self.restore();
            }
            Mnemonic::Leave => {
                self.depth = self.frame.map(|frame| frame - 8);
                self.restore();
            }
            Mnemonic::Mov if (to, from) == (RBP, RSP) => self.frame = self.depth,
            Mnemonic::Mov if (to, from) == (RSP, RBP) => self.depth = self.frame,
            Mnemonic::Mov if from == RBP && is_on_stack(instruction) => self.save(self.slot(instruction)),
            Mnemonic::Mov if to == RBP && is_on_stack(instruction) && self.is_saved_at(instruction) => {
                self.restore();
            }
            Mnemonic::Lea if to == RBP && is_on_stack(instruction) => self.frame = self.slot(instruction),
            Mnemonic::Lea if to == RSP && is_on_stack(instruction) => self.depth = self.slot(instruction),
            Mnemonic::Lea if to == RSP && instruction.memory_base() == RBP && is_plain(instruction) => {
                self.depth = self.frame.map(|frame| frame - displacement(instruction));
            }
            Mnemonic::Sub if to == RSP && has_constant(instruction) => self.lower(constant(instruction)),
            Mnemonic::Add if to == RSP && has_constant(instruction) => self.lower(-constant(instruction)),
            Mnemonic::Xor if to == from && to.full_register() == RBP => self.is_zeroed(),
            Mnemonic::Cmp | Mnemonic::Test => {}
            _ => self.other(instruction),
        }
        self
    }

    fn other(&mut self, instruction: &Instruction) {
        let is_call = matches!(
            instruction.flow_control(),
            FlowControl::Call | FlowControl::IndirectCall
        );
        if !is_call {
            self.lower(-instruction.stack_pointer_increment());
        }
        let writes = match instruction.mnemonic() {
            Mnemonic::Push => Register::None,
            _ => register(instruction, 0).full_register(),
        };
        match writes {
            Register::RSP => self.depth = None,
            // It serves as any other register now.
            Register::RBP => self.frame = None,
            _ => {}
        }
    }

    fn lower(&mut self, bytes: i32) {
        self.depth = self.depth.and_then(|depth| depth.checked_add(bytes));
    }

    fn save(&mut self, below: Option<i32>) {
        if let (CallerBp::InRegister, None, Some(below)) = (self.caller_bp, self.frame, below) {
            self.caller_bp = CallerBp::Saved(below);
        }
    }

    fn restore(&mut self) {
        self.frame = None;
        if let CallerBp::Saved(_) = self.caller_bp {
            self.caller_bp = CallerBp::InRegister;
        }
    }

    fn is_zeroed(&mut self) {
        if (self.caller_bp, self.frame) == (CallerBp::InRegister, None) {
            self.caller_bp = CallerBp::Nowhere;
        }
        self.frame = None;
    }

    /// How far below the CFA the memory is that the instruction names, which is on the stack.
    fn slot(&self, instruction: &Instruction) -> Option<i32> {
        self.depth?.checked_sub(displacement(instruction))
    }

    fn is_saved_at(&self, instruction: &Instruction) -> bool {
        let CallerBp::Saved(below) = self.caller_bp else {
            return false;
        };
        self.slot(instruction) == Some(below)
    }
}

/// Operand `n`, if it is a register.
fn register(instruction: &Instruction, n: u32) -> Register {
    let is_register = n < instruction.op_count() && instruction.op_kind(n) == OpKind::Register;
    if is_register {
        instruction.op_register(n)
    } else {
        Register::None
    }
}

/// Whether the instruction names memory by the stack pointer and a constant.
fn is_on_stack(instruction: &Instruction) -> bool {
    instruction.memory_base() == Register::RSP && is_plain(instruction)
}

fn is_plain(instruction: &Instruction) -> bool {
    instruction.memory_index() == Register::None
}

fn displacement(instruction: &Instruction) -> i32 {
    instruction.memory_displacement64() as i32
}

fn has_constant(instruction: &Instruction) -> bool {
    matches!(
        instruction.op1_kind(),
        OpKind::Immediate8to64 | OpKind::Immediate32to64
    )
}

fn constant(instruction: &Instruction) -> i32 {
    instruction.immediate(1) as i32
}
