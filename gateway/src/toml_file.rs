//! Reads a TOML file and finds everything that is wrong with it at once, each fault with its file, line and column.
//! Knows TOML and places in a text; what a setting means is known by `config` and `manifest`.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

/// How many faults are reported before the rest is only counted.
const FAULTS_MAX: usize = 100;

/// One thing that is wrong, and where. Lines and columns count from 1; 0 means the file as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub file: PathBuf,
    pub line: usize,
    pub column: usize,
    pub message: String,
}

/// Everything that is wrong with a file (and those that it names); never empty. Prints one fault a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Faults {
    pub faults: Vec<Fault>,
    /// How many more there are than are listed.
    pub left_off: usize,
}

/// Text with the byte offset at which it stands in the file.
#[derive(Clone, Debug)]
pub(crate) struct Located<T> {
    pub(crate) value: T,
    pub(crate) at: usize,
}

/// A value that may be a list: flags and numbers as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    One(String),
    Many(Vec<String>),
}

/// A TOML table being read. When it is dropped, each setting that nobody asked for is reported as unknown.
pub(crate) struct Section<'d> {
    reader: &'d Reader<'d>,
    table: &'d DeTable<'d>,
    title: String,
    at: usize,
    asked: RefCell<BTreeSet<&'static str>>,
}

/// The whole of a regular file as text, at most `bytes_max` bytes of it; wiped when dropped.
pub fn text_of(path: &Path, bytes_max: u64) -> io::Result<Zeroizing<String>> {
    // Asked before opening: opening a pipe would wait for its writer.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut text = Zeroizing::new(String::new());
    File::open(path)?.take(bytes_max.saturating_add(1)).read_to_string(&mut text)?;
    match u64::try_from(text.len()) {
        Ok(length) if length <= bytes_max => Ok(text),
        _ => Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("longer than {bytes_max} bytes"))),
    }
}

/// Parses `text`, which came from `path`, and hands its top level to `interpret`.
///
/// What `interpret` returns is kept only if neither TOML nor it found any fault.
pub(crate) fn read<T>(path: &Path, text: &str, interpret: impl FnOnce(&Section<'_>) -> T) -> Result<T, Faults> {
    read_all(&[(path, text)], |roots| roots.0.first().map(interpret))?.ok_or_else(Faults::none)
}

/// As `read`, for several files that are read as one.
pub(crate) fn read_all<T>(files: &[(&Path, &str)], interpret: impl FnOnce(&Roots<'_>) -> T) -> Result<T, Faults> {
    let readers: Vec<_> = files.iter().map(|(path, text)| Reader::new(path, text)).collect();
    let documents: Vec<_> = readers.iter().map(Reader::document).collect();
    // A broken file is only reported as broken: what recovery guessed would be reported as wrong a second time.
    if let Some(faults) = faults_of(&readers) {
        return Err(faults);
    }
    let root = |(reader, document)| Section::new(reader, Spanned::get_ref(document), String::new(), 0);
    let roots = Roots(readers.iter().zip(&documents).map(root).collect());
    let value = interpret(&roots);
    drop(roots);
    faults_of(&readers).map_or(Ok(value), Err)
}

/// The top levels of files that are read as one.
pub(crate) struct Roots<'d>(Vec<Section<'d>>);

impl<'d> Roots<'d> {
    /// The tables of an array of tables, of one file after the other.
    pub(crate) fn sections(&self, key: &'static str) -> Vec<Section<'d>> {
        self.0.iter().flat_map(|root| root.sections(key)).collect()
    }

    /// A fault in one of the files, or in another that they name.
    pub(crate) fn fault_in(&self, file: &Path, line: usize, column: usize, message: impl Into<String>) {
        if let Some(root) = self.0.first() {
            root.fault_in(file, line, column, message);
        }
    }
}

/// What was found in all files, in their order.
fn faults_of(readers: &[Reader<'_>]) -> Option<Faults> {
    let mut all = Faults::none();
    for reader in readers {
        let found = reader.faults();
        all.left_off += found.left_off;
        for fault in found.faults {
            if all.faults.len() < FAULTS_MAX { all.faults.push(fault) } else { all.left_off += 1 }
        }
    }
    (!all.faults.is_empty()).then_some(all)
}

impl<'d> Section<'d> {
    fn new(reader: &'d Reader<'d>, table: &'d DeTable<'d>, title: String, at: usize) -> Self {
        Self { reader, table, title, at, asked: RefCell::default() }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// The file that this is in.
    pub(crate) fn path(&self) -> &'d Path {
        self.reader.path
    }

    pub(crate) fn fault(&self, at: usize, message: impl Into<String>) {
        self.reader.fault(at, message);
    }

    /// A fault in another file that this one names.
    pub(crate) fn fault_in(&self, file: &Path, line: usize, column: usize, message: impl Into<String>) {
        self.reader.push(Fault { file: file.to_owned(), line, column, message: message.into() });
    }

    /// The line (from 1) of a byte offset.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.reader.place(at).0
    }

    /// Line and column (from 1) of a byte offset.
    pub(crate) fn spot(&self, at: usize) -> (usize, usize) {
        self.reader.place(at)
    }

    /// Whether the text of a multi-line string that starts at `at` begins on the line after its quotes.
    pub(crate) fn starts_below(&self, at: usize) -> bool {
        let source = self.reader.text.get(at..).unwrap_or_default();
        ["'''", "\"\"\""].iter().filter_map(|quotes| source.strip_prefix(quotes)).any(|rest| {
            // The line break directly after the quotes is no part of the string.
            rest.starts_with('\n') || rest.starts_with("\r\n")
        })
    }

    pub(crate) fn text(&self, key: &'static str) -> Option<Located<&'d str>> {
        self.value(key).and_then(|value| self.as_text(key, value))
    }

    /// As `text`; its absence is a fault.
    pub(crate) fn required(&self, key: &'static str) -> Option<Located<&'d str>> {
        self.require(key);
        self.text(key)
    }

    /// A list of strings; `None` when absent.
    pub(crate) fn texts(&self, key: &'static str) -> Option<Vec<Located<&'d str>>> {
        let values = self.array(key)?;
        Some(values.iter().filter_map(|value| self.as_text(key, value)).collect())
    }

    /// A string, or a list of strings; `None` when absent.
    pub(crate) fn one_or_more(&self, key: &'static str) -> Option<Given> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::Array(_) => {
                let texts = self.texts(key)?;
                Some(Given::Many(texts.into_iter().map(|text| text.value.to_owned()).collect()))
            }
            _ => self.as_text(key, value).map(|text| Given::One(text.value.to_owned())),
        }
    }

    pub(crate) fn flag(&self, key: &'static str) -> Option<bool> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::Boolean(flag) => Some(*flag),
            other => self.mistyped(value.span().start, key, "true or false", other),
        }
    }

    pub(crate) fn has(&self, key: &'static str) -> bool {
        self.value(key).is_some()
    }

    /// A table whose names are the user's own and whose values are strings, flags, numbers, or lists of them.
    pub(crate) fn given(&self, key: &'static str) -> Vec<(Located<&'d str>, Given)> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let DeValue::Table(table) = value.get_ref() else {
            self.mistyped::<()>(value.span().start, key, "a table", value.get_ref());
            return Vec::new();
        };
        let entry = |(name, value): (&'d Spanned<_>, &'d Spanned<DeValue<'d>>)| {
            let name: &'d std::borrow::Cow<'_, str> = name.get_ref();
            let given = match value.get_ref() {
                DeValue::Array(items) => Given::Many(items.iter().filter_map(|item| self.scalar(name, item)).collect()),
                _ => Given::One(self.scalar(name, value)?),
            };
            Some((Located { value: name.as_ref(), at: value.span().start }, given))
        };
        table.iter().filter_map(entry).collect()
    }

    fn scalar(&self, key: &str, value: &'d Spanned<DeValue<'d>>) -> Option<String> {
        match value.get_ref() {
            DeValue::String(text) => Some(text.to_string()),
            DeValue::Boolean(flag) => Some(flag.to_string()),
            DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
            DeValue::Float(number) => Some(number.as_str().to_owned()),
            other => self.mistyped(value.span().start, key, "a string, a flag or a number", other),
        }
    }

    pub(crate) fn integer(&self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        let value = self.value(key)?;
        let number = match value.get_ref() {
            DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
            other => return self.mistyped(value.span().start, key, "an integer", other),
        };
        let within = number.filter(|number| range.contains(number));
        if within.is_none() {
            let message = format!("`{key}` must be from {} to {}", range.start(), range.end());
            self.fault(value.span().start, message);
        }
        within
    }

    /// A table in this one; `None` when absent.
    pub(crate) fn section(&self, key: &'static str) -> Option<Section<'d>> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::Table(table) => Some(Self::new(self.reader, table, self.titled(key), value.span().start)),
            other => self.mistyped(value.span().start, key, "a table", other),
        }
    }

    /// The tables of an array of tables; none when absent.
    pub(crate) fn sections(&self, key: &'static str) -> Vec<Section<'d>> {
        let values = self.array(key).unwrap_or_default();
        let mut sections = Vec::with_capacity(values.len());
        for value in values {
            match value.get_ref() {
                DeValue::Table(table) => {
                    sections.push(Self::new(self.reader, table, self.titled(key), value.span().start));
                }
                other => {
                    self.mistyped::<()>(value.span().start, key, "a list of tables", other);
                }
            }
        }
        sections
    }

    /// A table whose names are the user's own and whose values are strings; empty when absent.
    pub(crate) fn map(&self, key: &'static str) -> Vec<(Located<&'d str>, &'d str)> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let DeValue::Table(table) = value.get_ref() else {
            self.mistyped::<()>(value.span().start, key, "a table of strings", value.get_ref());
            return Vec::new();
        };
        let entry = |(name, value): (&'d Spanned<_>, &'d Spanned<DeValue<'d>>)| {
            let name: &'d std::borrow::Cow<'_, str> = name.get_ref();
            let text = self.as_text(name, value)?;
            Some((Located { value: name.as_ref(), at: text.at }, text.value))
        };
        table.iter().filter_map(entry).collect()
    }

    /// Reports a fault if the setting is absent.
    pub(crate) fn require(&self, key: &'static str) {
        if self.value(key).is_none() {
            self.fault(self.at, format!("`{key}` is missing{}", self.place()));
        }
    }

    fn array(&self, key: &'static str) -> Option<&'d [Spanned<DeValue<'d>>]> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::Array(values) => Some(values),
            other => self.mistyped(value.span().start, key, "a list", other),
        }
    }

    fn as_text(&self, key: &str, value: &'d Spanned<DeValue<'d>>) -> Option<Located<&'d str>> {
        match value.get_ref() {
            DeValue::String(text) => Some(Located { value: text, at: value.span().start }),
            other => self.mistyped(value.span().start, key, "a string", other),
        }
    }

    fn value(&self, key: &'static str) -> Option<&'d Spanned<DeValue<'d>>> {
        self.asked.borrow_mut().insert(key);
        self.table.get(key)
    }

    fn mistyped<T>(&self, at: usize, key: &str, wanted: &str, found: &DeValue<'_>) -> Option<T> {
        self.fault(at, format!("`{key}` must be {wanted}, not {}", found.type_str()));
        None
    }

    fn titled(&self, key: &str) -> String {
        if self.title.is_empty() { key.to_owned() } else { format!("{}.{key}", self.title) }
    }

    pub(crate) fn place(&self) -> String {
        if self.title.is_empty() { String::new() } else { format!(" in [{}]", self.title) }
    }
}

impl Drop for Section<'_> {
    fn drop(&mut self) {
        let asked = self.asked.borrow();
        for name in self.table.keys().filter(|name| !asked.contains(name.get_ref().as_ref())) {
            let message = format!("unknown setting `{}`{}", name.get_ref().escape_debug(), self.place());
            self.fault(name.span().start, message);
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file.display(), self.message),
            line => write!(f, "{}:{line}:{}: {}", self.file.display(), self.column, self.message),
        }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{fault}")?;
        }
        match self.left_off {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

impl Faults {
    fn none() -> Self {
        Self { faults: Vec::new(), left_off: 0 }
    }

    /// A file that could not be read at all.
    pub(crate) fn unreadable(file: &Path, cause: &io::Error) -> Self {
        let message = format!("cannot be read: {cause}");
        Self { faults: vec![Fault { file: file.to_owned(), line: 0, column: 0, message }], left_off: 0 }
    }
}

struct Reader<'d> {
    path: &'d Path,
    text: &'d str,
    line_starts: Vec<usize>,
    found: RefCell<Vec<Fault>>,
    left_off: RefCell<usize>,
}

impl<'d> Reader<'d> {
    fn new(path: &'d Path, text: &'d str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let line_starts = std::iter::once(0).chain(breaks).collect();
        Self { path, text, line_starts, found: RefCell::default(), left_off: RefCell::default() }
    }

    /// Line and column, from 1; the column counts characters.
    fn place(&self, at: usize) -> (usize, usize) {
        let line = self.line_starts.partition_point(|start| *start <= at);
        let start = self.line_starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let column = self.text.get(start..at).map_or(0, |before| before.chars().count());
        (line, column + 1)
    }

    fn fault(&self, at: usize, message: impl Into<String>) {
        let (line, column) = self.place(at);
        self.push(Fault { file: self.path.to_owned(), line, column, message: message.into() });
    }

    fn push(&self, fault: Fault) {
        let mut found = self.found.borrow_mut();
        if found.len() < FAULTS_MAX { found.push(fault) } else { *self.left_off.borrow_mut() += 1 }
    }

    /// The file's contents, as far as they are TOML; the rest is a fault.
    fn document(&self) -> Spanned<DeTable<'d>> {
        let (document, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            self.fault(error.span().map_or(0, |span| span.start), error.message());
        }
        document
    }

    /// What was found, in the order of the file.
    fn faults(&self) -> Faults {
        let mut faults = self.found.borrow().clone();
        faults.sort_by_key(|fault| (fault.file != self.path, fault.line, fault.column));
        Faults { faults, left_off: *self.left_off.borrow() }
    }
}

#[cfg(test)]
mod tests;
