//! Columns of text that are as wide as what is in them.
//! Knows characters, takes each for one column, and how many columns there are.

use super::units::shortened;

/// How wide a table may be.
pub(super) const COLUMNS: usize = 120;
const GAP: &str = "  ";
/// The first column gives way to the others down to this width.
const FIRST_MIN: usize = 12;

/// A table of a terminal: the first column begins at the left, the others end at the right.
#[derive(Debug, Default)]
pub(super) struct Grid {
    rows: Vec<Vec<String>>,
}

impl Grid {
    pub(super) fn new(head: &[&str]) -> Self {
        Self { rows: vec![head.iter().map(|name| (*name).to_owned()).collect()] }
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    pub(super) fn text(&self) -> String {
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or_default()
        };
        let mut widths: Vec<usize> = (0..self.rows.iter().map(Vec::len).max().unwrap_or_default()).map(width).collect();
        let all: usize = widths.iter().map(|width| width + GAP.len()).sum();
        let beyond = all.saturating_sub(COLUMNS + GAP.len());
        if let Some(first) = widths.first_mut() {
            *first = (*first).min(first.saturating_sub(beyond).max(FIRST_MIN));
        }
        let mut text = String::new();
        for row in &self.rows {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
                0 => format!("{:<width$}", shortened(cell, *width)),
                _ => format!("{cell:>width$}"),
            });
            text += cells.collect::<Vec<_>>().join(GAP).trim_end();
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_cells() {
        let mut grid = Grid::new(&["name", "n"]);
        grid.row(["a".to_owned(), "1,234".to_owned()]);
        grid.row(["longer µ".to_owned(), String::new()]);
        assert_eq!(grid.text(), "name          n\na         1,234\nlonger µ\n");
        assert_eq!(Grid::default().text(), "");
    }

    #[test]
    fn the_first_column_gives_way() {
        let mut grid = Grid::new(&["x"]);
        grid.row(["a".repeat(100), "1".repeat(30)]);
        assert_eq!(grid.text(), format!("x\n{}…  {}\n", "a".repeat(87), "1".repeat(30)));
    }
}
