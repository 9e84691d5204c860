"""`wasmtime run` for each task, of a module that was compiled before."""

import os
import subprocess

from measure import SLOTS, guarded, measure, output, program, scratch

#: (module (func (export "_start")))
NOOP = bytes.fromhex("0061736d01000000" "010401600000" "03020100" "070a01065f73746172740000" "0a040102000b")

WASMTIME = os.environ.get("WASMTIME") or program("wasmtime")

with guarded(), scratch() as folder:
    module, native = folder / "noop.wasm", folder / "noop.cwasm"
    module.write_bytes(NOOP)
    subprocess.run([WASMTIME, "compile", "-o", native, module], check=True)
    task = [WASMTIME, "run", "--allow-precompiled", str(native)]

    def array(tasks):
        words = b"x\n" * tasks
        subprocess.run(["xargs", "-n1", f"-P{SLOTS}", *task], input=words, check=True)

    def single():
        subprocess.run(task, check=True)

    measure(
        peer="wasmtime",
        version=output(WASMTIME, "--version").split()[1],
        array=array,
        single=single,
        durable="no",
        isolation="a WebAssembly sandbox in a process of its own",
        note="xargs -P2 of `wasmtime run --allow-precompiled`; no queue, no results",
    )
