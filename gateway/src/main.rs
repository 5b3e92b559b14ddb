//! The binary `kannuki`: the command line in front of the library.
//! Knows nothing but where to begin.

mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}
