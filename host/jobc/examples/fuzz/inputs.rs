//! What is fed: a corpus of good and bad inputs, and ways to damage them.

/// Inputs kept at most; later ones replace earlier ones at random.
const MOST: usize = 4_000;
/// Bytes of an input at most.
const LONGEST: usize = 64 << 10;

const WORDS: &[&str] = &[
    "[tasks.a]\nmodule = \"m\"\n",
    "after = [\"a\"]\n",
    "input_from = \"a\"\n",
    "when = \"results.a\"\n",
    "array = { results = \"a\" }\n",
    "array = { elements = \"a\" }\n",
    "tolerate = \"all\"\n",
    "concurrency = 1\n",
    "[params.a]\ntype = \"integer\"\n",
    "default = ",
    "min = ",
    "max = ",
    "of = ",
    "choices = [\"a\"]\n",
    "pattern = \"(a|b)*\"\n",
    "${params.a}",
    "${item.k}",
    "${index}",
    "${",
    "}",
    "script = { js = \"1\" }\n",
    "range = [0, ",
    "\"\"\"",
    "'''",
    "= {",
    "]]",
    "[[",
    "\\u00e9",
    "é",
    "\0",
    "-9223372036854775808",
    "1e999",
    "nan",
    "2026-01-31",
    "results[\"a\"]",
    " and ",
    " or ",
    " not ",
    " in ",
    "length(",
    "((((",
    "\n",
    "\r\n",
    "\"",
    "'",
];

/// A seeded source of numbers (splitmix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 when there is none.
    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

/// Inputs of one kind.
pub(crate) struct Corpus {
    inputs: Vec<Vec<u8>>,
    words: &'static [&'static str],
}

impl Corpus {
    /// The examples of the reference, and what is known to be bad.
    pub(crate) fn definitions() -> Corpus {
        let reference = include_str!("../../../../docs/definition.md");
        let examples = reference.split("```toml\n").skip(1);
        let examples = examples.filter_map(|rest| rest.split("```").next());
        let bad = include_str!("../../tests/bad.txt").split("=== ");
        let jobs = include_str!("../../tests/bad_jobs.txt").split("=== ");
        let bad = bad
            .chain(jobs)
            .filter_map(|case| Some(case.split_once('\n')?.1));
        Corpus::of(examples.chain(bad).map(|text| text.as_bytes().to_vec()))
    }

    pub(crate) fn conditions() -> Corpus {
        let texts = [
            "results.a.rows > 0 and params.full",
            "results[\"b\"][2] != 'x' or not tasks.a.failed == 0",
            "length(results.b) - 1 * (params.a + 2.5) / 3 % 4 <= min([1, 2])",
            "'l' in params.city and 'k' not in results.a and any([true, null])",
        ];
        Corpus::of(texts.map(|text| text.as_bytes().to_vec()))
    }

    /// Modules of every kind, whole.
    pub(crate) fn modules() -> Corpus {
        let bad = include_str!("../../tests/bad_modules.txt").split("=== ");
        let bad = bad.filter_map(|case| Some(case.split_once('\n')?.1));
        let good = [
            "(module (func (export \"_start\")))",
            "(module (import \"wasi_snapshot_preview1\" \"fd_write\" (func (param i32 i32 i32 i32) (result i32)))
              (memory (export \"memory\") 1) (table 4 funcref) (global (mut i32) (i32.const 7)) (data (i32.const 8) \"hello\")
              (func (export \"_start\") (local i64) (block (loop (br_if 1 (i32.const 1)))) (drop (f64.const 0.5))))",
            "(component
              (type $error (record (field \"message\" string) (field \"retryable\" bool)))
              (import \"wasmhost:task/log@0.1.0\" (instance))
              (core module $m (memory (export \"mem\") 1)
                (func (export \"realloc\") (param i32 i32 i32 i32) (result i32) (i32.const 0))
                (func (export \"run\") (param i32 i32) (result i32) (i32.const 0)))
              (core instance $i (instantiate $m)))",
            "(module (@custom \"wasmhost:manifest\" \"{\\\"name\\\": \\\"a\\\"}\") (func (export \"_start\")))",
        ];
        let texts = bad.chain(good);
        Corpus {
            words: &[
                "\0asm",
                "\u{1}\0\0\0",
                "\u{7f}",
                "\u{80}",
                "_start",
                "run",
                "wasi_snapshot_preview1",
            ],
            ..Corpus::of(texts.filter_map(|text| wat::parse_str(text).ok()))
        }
    }

    fn of(inputs: impl IntoIterator<Item = Vec<u8>>) -> Corpus {
        Corpus {
            inputs: inputs.into_iter().collect(),
            words: WORDS,
        }
    }

    /// An input that brought something new.
    pub(crate) fn join(&mut self, input: Vec<u8>) {
        if self.inputs.len() < MOST {
            self.inputs.push(input);
        }
    }

    /// One of the inputs, damaged in one to eight places.
    pub(crate) fn damaged(&self, dice: &mut Dice) -> Vec<u8> {
        let mut input = self.pick(dice).to_vec();
        for _ in 0..=dice.below(8) {
            self.damage(dice, &mut input);
        }
        input.truncate(LONGEST);
        input
    }

    fn pick(&self, dice: &mut Dice) -> &[u8] {
        &self.inputs[dice.below(self.inputs.len())]
    }

    fn damage(&self, dice: &mut Dice, input: &mut Vec<u8>) {
        let at = dice.below(input.len() + 1);
        let end = at + dice.below((input.len() - at).min(64) + 1);
        match dice.below(8) {
            0 if at < input.len() => input[at] ^= 1 << dice.below(8),
            1 if at < input.len() => input[at] = dice.next() as u8,
            2 => drop(input.drain(at..end)),
            3 => {
                let part = input[at..end].to_vec();
                let times = 1 + dice.below(20);
                drop(input.splice(at..at, part.repeat(times)));
            }
            4 => {
                let word = self.words[dice.below(self.words.len())];
                drop(input.splice(at..at, word.bytes()));
            }
            5 => {
                let word = self.words[dice.below(self.words.len())];
                drop(input.splice(at..end, word.bytes()));
            }
            6 => {
                let other = self.pick(dice);
                let from = dice.below(other.len() + 1);
                let to = from + dice.below(other.len() - from + 1);
                drop(input.splice(at..at, other[from..to].iter().copied()));
            }
            _ => {
                let number =
                    ["0", "1", "-1", "4294967296", "9223372036854775807", "255"][dice.below(6)];
                drop(input.splice(at..end.min(at + 1), number.bytes()));
            }
        }
    }
}
