//! The canonical request of Signature Version 4, for services that are not S3.
//! A pure function from the parts of a request to a text; knows neither keys nor what a header means.
//! https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html

use std::borrow::Cow;

/// The canonical request. `path` and `query` are as they came over the wire; `signed_headers` are sorted lower-case
/// names, each without a repeat; a repeated header's values are joined in the order in which they came.
pub fn canonical_request(
    method: &str,
    path: &str,
    query: &str,
    headers: &[(&str, &str)],
    signed_headers: &[&str],
    payload_sha256: &str,
) -> String {
    let mut text = canonical_head(method, path, query, headers, signed_headers);
    text.push_str(payload_sha256);
    text
}

/// The canonical request up to the payload's hash, which is its last line.
pub(super) fn canonical_head(
    method: &str,
    path: &str,
    query: &str,
    headers: &[(&str, &str)],
    signed_headers: &[&str],
) -> String {
    let headers_bytes: usize = headers.iter().map(|(name, value)| 2 * name.len() + value.len() + 3).sum();
    let mut text = String::with_capacity(method.len() + path.len() + query.len() + headers_bytes + 8);
    for line in [method, &canonical_path(path), &canonical_query(query)] {
        text.push_str(line);
        text.push('\n');
    }
    for signed in signed_headers {
        text.push_str(signed);
        text.push(':');
        let values = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(signed));
        for (place, (_, value)) in values.enumerate() {
            if place > 0 {
                text.push(',');
            }
            push_folded(&mut text, value);
        }
        text.push('\n');
    }
    text.push('\n');
    for (place, signed) in signed_headers.iter().enumerate() {
        if place > 0 {
            text.push(';');
        }
        text.push_str(signed);
    }
    text.push('\n');
    text
}

/// Removes dot segments and empty ones (RFC 3986 section 5.2.4), then encodes what is already encoded once more.
fn canonical_path(path: &str) -> Cow<'_, str> {
    // All requests of SDKs have this one.
    if path == "/" {
        return path.into();
    }
    let mut kept = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            segment => kept.push(segment),
        }
    }
    let mut text = String::with_capacity(path.len() + 1);
    for segment in &kept {
        text.push('/');
        push_encoded(&mut text, segment.as_bytes());
    }
    let is_folder = matches!(path.rsplit('/').next(), Some("" | "." | ".."));
    if text.is_empty() || is_folder {
        text.push('/');
    }
    text.into()
}

/// Decodes each name and value, encodes it in the one canonical way, and sorts by name, then by value.
fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (recoded(name), recoded(value))
        })
        .collect();
    pairs.sort_unstable();
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

/// Without blanks around it, and with one space for each run of blanks inside.
fn push_folded(text: &mut String, value: &str) {
    if is_folded(value.as_bytes()) {
        text.push_str(value);
        return;
    }
    for (place, word) in value.split([' ', '\t']).filter(|word| !word.is_empty()).enumerate() {
        if place > 0 {
            text.push(' ');
        }
        text.push_str(word);
    }
}

/// Almost all values are. Looks at all bytes without a branch, which the compiler makes many at a time.
fn is_folded(value: &[u8]) -> bool {
    let next = value.get(1..).unwrap_or_default();
    let has_tab = value.iter().fold(false, |found, &byte| found | (byte == b'\t'));
    let has_run = value.iter().zip(next).fold(false, |found, (&byte, &next)| found | ((byte == b' ') & (next == b' ')));
    !has_tab && !has_run && value.first() != Some(&b' ') && value.last() != Some(&b' ')
}

fn recoded(text: &str) -> String {
    let mut recoded = String::with_capacity(text.len());
    push_encoded(&mut recoded, &decoded(text.as_bytes()));
    recoded
}

/// Percent-decodes; what only looks like an escape stays as it is.
fn decoded(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let escaped = after.split_first_chunk::<2>().filter(|_| first == b'%');
        match escaped.and_then(|(digits, after)| Some((hex_byte(digits)?, after))) {
            Some((byte, after)) => {
                bytes.push(byte);
                rest = after;
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    bytes
}

fn hex_byte(digits: &[u8; 2]) -> Option<u8> {
    let mut byte = [0];
    hex::decode_to_slice(digits, &mut byte).ok()?;
    let [byte] = byte;
    Some(byte)
}

/// Percent-encodes all but RFC 3986's unreserved characters, with upper-case digits.
fn push_encoded(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).map_or('0', |&digit| char::from(digit));
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.push(digit(byte >> 4));
            text.push(digit(byte & 15));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths() {
        for (path, canonical) in [
            ("", "/"),
            ("/", "/"),
            ("//", "/"),
            ("/..", "/"),
            ("/./", "/"),
            ("/a/./b//c", "/a/b/c"),
            ("/a/b/..", "/a/"),
            ("/a/b/../", "/a/"),
            ("/a b", "/a%20b"),
            ("/a%20b", "/a%2520b"),
            ("/\u{1234}", "/%E1%88%B4"),
        ] {
            assert_eq!(canonical_path(path), canonical, "{path:?}");
        }
    }

    #[test]
    fn queries() {
        for (query, canonical) in [
            ("", ""),
            ("b=1&a=2", "a=2&b=1"),
            ("a=2&a=1", "a=1&a=2"),
            ("a", "a="),
            ("&&a=&", "a="),
            ("a=%7e%2f", "a=~%2F"),
            ("a=%zz%4", "a=%25zz%254"),
            ("a=b=c", "a=b%3Dc"),
            ("a+b=c", "a%2Bb=c"),
        ] {
            assert_eq!(canonical_query(query), canonical, "{query:?}");
        }
    }

    /// The first example of the Signature Version 4 test suite that AWS publishes, with folding and repeats added.
    #[test]
    fn a_whole_request() {
        let headers = [
            ("X-Amz-Date", "20150830T123600Z"),
            ("My-Header", "  a   b "),
            ("my-header", "c\t d"),
            ("Host", "example.amazonaws.com"),
            ("unsigned", "x"),
        ];
        let text = canonical_request("GET", "/", "", &headers, &["host", "my-header", "x-amz-date"], "e3b0");
        let expected = "GET\n/\n\nhost:example.amazonaws.com\nmy-header:a b,c d\nx-amz-date:20150830T123600Z\n\n\
                        host;my-header;x-amz-date\ne3b0";
        assert_eq!(text, expected);
    }

    proptest! {
        #[test]
        fn never_panics(
            method in ".*", path in ".*", query in ".*",
            headers in proptest::collection::vec((".*", ".*"), 0..6), signed in proptest::collection::vec(".*", 0..6),
        ) {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let signed: Vec<_> = signed.iter().map(String::as_str).collect();
            canonical_request(&method, &path, &query, &headers, &signed, "");
        }

        #[test]
        fn blanks_fold(value in "[ \t]{0,2}([a-c\u{e9}]{1,2}[ \t]{0,2}){0,4}") {
            let words: Vec<_> = value.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
            let mut folded = String::new();
            push_folded(&mut folded, &value);
            prop_assert_eq!(folded, words.join(" "));
        }

        #[test]
        fn is_already_canonical(path in "(/[a-z./]{0,3}){0,6}", query in "([a-c%&=+~ ]|%7[0-9a-f]){0,12}") {
            let once = canonical_path(&path);
            prop_assert_eq!(canonical_path(&once), once.clone());
            let once = canonical_query(&query);
            prop_assert_eq!(canonical_query(&once), once.clone());
        }
    }
}
