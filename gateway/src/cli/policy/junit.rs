//! JUnit XML, as build servers read it: one suite a fixture file, one case a request.
//! Knows XML; what was tested is `test`'s.

use std::fmt::Write as _;

use super::test::Tested;

pub(super) fn report(tested: &[Tested]) -> String {
    let failures = |one: &Tested| one.cases.iter().filter(|case| case.failure.is_some()).count();
    let all: usize = tested.iter().map(|one| one.cases.len()).sum();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a string cannot fail.
    let _ = writeln!(
        xml,
        "<testsuites name=\"kannuki policy test\" tests=\"{all}\" failures=\"{}\">",
        tested.iter().map(failures).sum::<usize>()
    );
    for one in tested {
        let file = escaped(&one.file.display().to_string());
        let _ = writeln!(
            xml,
            "  <testsuite name=\"{file}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"0\">",
            one.cases.len(),
            failures(one)
        );
        for case in &one.cases {
            let name = escaped(&case.name);
            let _ = match &case.failure {
                None => writeln!(xml, "    <testcase classname=\"{file}\" name=\"{name}\"/>"),
                Some(failure) => writeln!(
                    xml,
                    "    <testcase classname=\"{file}\" name=\"{name}\">\n      <failure message=\"{}\">{}</failure>\n    </testcase>",
                    escaped(failure.lines().nth(1).unwrap_or_default().trim()),
                    escaped(failure)
                ),
            };
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

/// Fit for text and for attributes in quotes; what XML 1.0 cannot hold at all becomes a question mark.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\t' | '\n' => safe.push(letter),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => safe.push('?'),
            letter => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::super::test::Case;
    use super::*;

    #[test]
    fn failures_are_told_and_nothing_becomes_markup() {
        let case = |failure: Option<&str>| Case { name: "a<b> & \"c\"".into(), failure: failure.map(str::to_owned) };
        let tested =
            [Tested { file: "x.toml".into(), cases: vec![case(None), case(Some("FAIL\n  expected <Allowed>\n"))] }];
        let xml = report(&tested);
        assert!(xml.contains("tests=\"2\" failures=\"1\""), "{xml}");
        assert!(xml.contains("name=\"a&lt;b&gt; &amp; &quot;c&quot;\"/>"), "{xml}");
        assert!(xml.contains("<failure message=\"expected &lt;Allowed&gt;\">FAIL\n"), "{xml}");
    }
}
