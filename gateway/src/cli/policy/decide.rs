//! `kannuki policy decide`: a JSON object a line in, a JSON object a line out, in the same order.
//! Knows lines and when to flush; a line's meaning is `kms_core::trial`'s.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::ExitCode;

use kms_core::trial::Decider;

/// The longest line that is looked at.
const LINE_BYTES_MAX: u64 = 16 << 20;
const BUFFER_BYTES: usize = 256 * 1024;

pub(super) fn run() -> ExitCode {
    match answer_all(io::stdin().lock(), &mut io::stdout().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => super::super::fail(&error, 2),
    }
}

/// Answers every line, and says whether all could be decided. Whoever speaks line by line has each answer before it says
/// more: what is written is flushed before input is waited for.
fn answer_all(input: impl Read, output: &mut impl Write) -> io::Result<bool> {
    let mut input = BufReader::with_capacity(BUFFER_BYTES, input);
    let (mut decider, mut all) = (Decider::default(), true);
    let (mut line, mut answers) = (Vec::new(), Vec::new());
    loop {
        if !input.buffer().contains(&b'\n') || answers.len() > BUFFER_BYTES {
            output.write_all(&answers)?;
            output.flush()?;
            answers.clear();
        }
        line.clear();
        if input.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)? == 0 {
            return Ok(all);
        }
        if line.last() != Some(&b'\n') && u64::try_from(line.len()).is_ok_and(|length| length >= LINE_BYTES_MAX) {
            input.skip_until(b'\n')?;
            // Not JSON, which is what the answer will be about.
            line.truncate(1);
        }
        let text = line.trim_ascii();
        if !text.is_empty() {
            all &= decider.answer(text, &mut answers);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

    use std::sync::mpsc;

    use super::*;

    const CASE: &str = r#"{"id":1,"request":{"principal":"arn:aws:iam::111122223333:user/ana","action":"kms:ListKeys","resource":"*"},"identity_policies":[{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}]}"#;

    fn answers(input: &[u8]) -> (bool, Vec<String>) {
        let mut output = Vec::new();
        let all = answer_all(input, &mut output).unwrap();
        (all, String::from_utf8(output).unwrap().lines().map(str::to_owned).collect())
    }

    #[test]
    fn a_bad_line_does_not_stop_the_others() {
        let (all, lines) = answers(format!("{CASE}\nnonsense\n\n{CASE}").as_bytes());
        assert!(!all);
        assert_eq!(lines.len(), 3);
        assert!(lines[0].contains("\"Allowed\"") && lines[2].contains("\"Allowed\""), "{lines:?}");
        assert!(lines[1].starts_with("{\"id\":null,\"error\":"), "{lines:?}");
        assert!(answers(CASE.as_bytes()).0);
    }

    #[test]
    fn a_line_without_end_is_passed_over() {
        let long = vec![b'['; usize::try_from(LINE_BYTES_MAX).unwrap() + 10];
        let (all, lines) = answers(&[&long, b"\n".as_slice(), CASE.as_bytes(), b"\n"].concat());
        assert!(!all && lines.len() == 2 && lines[1].contains("\"Allowed\""), "{lines:?}");
    }

    /// Gives a line only after the answer to the one before it was flushed.
    struct Dialogue {
        flushed: mpsc::Receiver<()>,
        said: usize,
    }

    impl Read for Dialogue {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            if self.said == 3 {
                return Ok(0);
            }
            // The answer to what was said so far has left, or this would wait for ever.
            self.flushed.try_recv().map_err(io::Error::other)?;
            self.said += 1;
            let line = format!("{CASE}\n");
            to[..line.len()].copy_from_slice(line.as_bytes());
            Ok(line.len())
        }
    }

    struct Told(mpsc::Sender<()>, usize);

    impl Write for Told {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1 += bytes.iter().filter(|byte| **byte == b'\n').count();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            self.0.send(()).map_err(io::Error::other)
        }
    }

    #[test]
    fn a_generator_can_speak_with_it_line_by_line() {
        let (sender, flushed) = mpsc::channel();
        let mut told = Told(sender, 0);
        assert!(answer_all(Dialogue { flushed, said: 0 }, &mut told).unwrap());
        assert_eq!(told.1, 3);
    }
}
