//! The binary `kannuki`: the command line in front of the library.
//! Knows nothing but where to begin.

mod cli;

/// Rows come from one thread and are let go of by another, at start by the million and for every write: what the
/// platform's allocator does about that costs more than anything that is done with them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::run()
}
