//! The functions of WASI preview 1 (`wasi_snapshot_preview1`) and of the older
//! `wasi_unstable`, with their core types. After the witx files of
//! WebAssembly/WASI, `legacy/preview1` and `legacy/preview0`.

use wasmparser::{FuncType, ValType};

/// The module names under which they are imported.
pub(super) const MODULES: [&str; 2] = ["wasi_snapshot_preview1", "wasi_unstable"];

/// Name and parameters (`i` 32 bits, `I` 64 bits). All return an `i`, but
/// `proc_exit`, which returns nothing.
const FUNCTIONS: [(&str, &str); 45] = [
    ("args_get", "ii"),
    ("args_sizes_get", "ii"),
    ("clock_res_get", "ii"),
    ("clock_time_get", "iIi"),
    ("environ_get", "ii"),
    ("environ_sizes_get", "ii"),
    ("fd_advise", "iIIi"),
    ("fd_allocate", "iII"),
    ("fd_close", "i"),
    ("fd_datasync", "i"),
    ("fd_fdstat_get", "ii"),
    ("fd_fdstat_set_flags", "ii"),
    ("fd_fdstat_set_rights", "iII"),
    ("fd_filestat_get", "ii"),
    ("fd_filestat_set_size", "iI"),
    ("fd_filestat_set_times", "iIIi"),
    ("fd_pread", "iiiIi"),
    ("fd_prestat_dir_name", "iii"),
    ("fd_prestat_get", "ii"),
    ("fd_pwrite", "iiiIi"),
    ("fd_read", "iiii"),
    ("fd_readdir", "iiiIi"),
    ("fd_renumber", "ii"),
    ("fd_seek", "iIii"),
    ("fd_sync", "i"),
    ("fd_tell", "ii"),
    ("fd_write", "iiii"),
    ("path_create_directory", "iii"),
    ("path_filestat_get", "iiiii"),
    ("path_filestat_set_times", "iiiiIIi"),
    ("path_link", "iiiiiii"),
    ("path_open", "iiiiiIIii"),
    ("path_readlink", "iiiiii"),
    ("path_remove_directory", "iii"),
    ("path_rename", "iiiiii"),
    ("path_symlink", "iiiii"),
    ("path_unlink_file", "iii"),
    ("poll_oneoff", "iiii"),
    ("proc_exit", "i"),
    ("proc_raise", "i"),
    ("random_get", "ii"),
    ("sched_yield", ""),
    ("sock_recv", "iiiiii"),
    ("sock_send", "iiiii"),
    ("sock_shutdown", "ii"),
];

/// Whether a function exists under this name, and with which type.
pub(super) fn function(module: &str, name: &str) -> Option<FuncType> {
    // The only one that came later.
    let accept = ("sock_accept", "iii");
    let params = if (module, name) == (MODULES[0], accept.0) {
        accept.1
    } else {
        FUNCTIONS.iter().find(|(known, _)| *known == name)?.1
    };
    let params = params
        .chars()
        .map(|c| if c == 'I' { ValType::I64 } else { ValType::I32 });
    let results = (name != "proc_exit").then_some(ValType::I32);
    Some(FuncType::new(params, results))
}

/// The names of all functions, for proposals.
pub(super) fn names() -> Vec<&'static str> {
    FUNCTIONS.iter().map(|(name, _)| *name).collect()
}
