//! Modules that nobody has seen before: of a wanted size, made of random code,
//! or a real one made larger. Random, so that no cache knows them.

use anyhow::{Result, anyhow};
use wasm_encoder::{
    CodeSection, ExportKind, ExportSection, Function, FunctionSection, MemorySection, MemoryType,
    Module, TypeSection, ValType,
};

/// Statements of one function: about a kilobyte of code.
const STATEMENTS: usize = 100;

/// Random numbers from a random seed (xorshift).
struct Random(u64);

impl Random {
    fn new() -> Result<Random> {
        let seed = getrandom::u64().map_err(|e| anyhow!("no randomness: {e}"))?;
        Ok(Random(seed | 1))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u32) -> u32 {
        (self.next() >> 32) as u32 % end
    }
}

/// `module`, a component, with a custom section of so many random bytes.
pub(crate) fn padded(module: &[u8], bytes: usize) -> Result<Vec<u8>> {
    const NAME: &[u8] = b"padding";
    let mut section = vec![NAME.len() as u8];
    section.extend_from_slice(NAME);
    let start = section.len();
    section.resize(start + bytes, 0);
    getrandom::fill(&mut section[start..]).map_err(|e| anyhow!("no randomness: {e}"))?;
    let mut padded = module.to_vec();
    // A custom section: its number, its length (LEB128), its name and content.
    padded.push(0);
    let mut rest = section.len();
    while rest >= 0x80 {
        padded.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    padded.push(rest as u8);
    padded.extend_from_slice(&section);
    Ok(padded)
}

/// A command of about `bytes` bytes that ends at once. Its functions are what
/// compilers emit: arithmetic over locals and constants, loads and stores,
/// branches, calls.
pub(crate) fn command(bytes: usize) -> Result<Vec<u8>> {
    let mut random = Random::new()?;
    let (mut functions, mut code) = (FunctionSection::new(), CodeSection::new());
    functions.function(0);
    let mut start = Function::new([]);
    start.instructions().end();
    code.function(&start);
    while code.byte_len() < bytes {
        let body = function(&mut random, functions.len());
        functions.function(1);
        code.function(&body);
    }
    let mut types = TypeSection::new();
    types.ty().function([], []);
    types.ty().function([ValType::I32; 2], [ValType::I32]);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: 1,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut exports = ExportSection::new();
    exports
        .export("memory", ExportKind::Memory, 0)
        .export("_start", ExportKind::Func, 0);
    let mut module = Module::new();
    module
        .section(&types)
        .section(&functions)
        .section(&memories)
        .section(&exports)
        .section(&code);
    Ok(module.finish())
}

/// A function of two numbers that may call those before it; function 0 is the start.
fn function(random: &mut Random, before: u32) -> Function {
    const LOCALS: u32 = 8;
    let mut function = Function::new([(LOCALS - 2, ValType::I32)]);
    let mut code = function.instructions();
    for _ in 0..STATEMENTS {
        let (a, b, c) = (
            random.below(LOCALS),
            random.below(LOCALS),
            random.below(LOCALS),
        );
        let constant = random.next() as i32;
        let mem = wasm_encoder::MemArg {
            offset: u64::from(random.below(1 << 15)),
            align: 2,
            memory_index: 0,
        };
        match random.below(8) {
            0 => code.local_get(a).local_get(b).i32_add().local_set(c),
            1 => code.local_get(a).i32_const(constant).i32_mul().local_set(c),
            2 => code.local_get(a).local_get(b).i32_xor().local_set(c),
            3 => code
                .local_get(a)
                .i32_const(constant & 31)
                .i32_rotl()
                .local_set(c),
            4 => code
                .local_get(a)
                .i32_const(0x7ffc)
                .i32_and()
                .i32_load(mem)
                .local_set(c),
            5 => code
                .local_get(a)
                .i32_const(0x7ffc)
                .i32_and()
                .local_get(b)
                .i32_store(mem),
            6 => code
                .block(wasm_encoder::BlockType::Empty)
                .local_get(a)
                .local_get(b)
                .i32_lt_s()
                .br_if(0)
                .i32_const(constant)
                .local_set(c)
                .end(),
            _ if before > 1 => code
                .local_get(a)
                .local_get(b)
                .call(1 + random.below(before - 1))
                .local_set(c),
            _ => code.nop(),
        };
    }
    code.local_get(0).end();
    function
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use wasmtime::{Engine, Module};

    #[test]
    fn commands_are_valid_new_and_as_large_as_asked() {
        let (one, other) = (command(50_000).unwrap(), command(50_000).unwrap());
        Module::validate(&Engine::default(), &one).unwrap();
        assert!((50_000..55_000).contains(&one.len()), "{}", one.len());
        assert_ne!(one, other);
    }

    #[test]
    fn padding_keeps_a_module_valid() {
        let padded = padded(b"\0asm\x01\0\0\0", 1_000).unwrap();
        Module::validate(&Engine::default(), &padded).unwrap();
        assert!(padded.len() > 1_000);
    }
}
