//! The binary `kannuki`: the command line in front of the library, and the process's allocator.
//! Knows nothing but where to begin.

mod cli;

/// A request makes a hundred small allocations, and a few of some kilobytes for its tasks, on which the C library's
/// allocator spends a tenth of the request's time. Rows come from one thread and are let go of by another, at start by the
/// million, which costs it more than anything that is done with them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::run()
}
