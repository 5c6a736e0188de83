//! Columns of text aligned as Go's tabwriter does with Podman's settings: at least 10 wide, two blanks between.

/// Width below which no column shrinks, padding included.
const MIN_WIDTH: usize = 12;
const PADDING: usize = 2;

/// Rows of cells, aligned when rendered.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a row; the header is a row too.
    pub fn row<I>(&mut self, cells: I)
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// Adds lines whose cells are separated by tabs.
    pub fn tabbed(&mut self, text: &str) {
        for line in text.lines() {
            self.row(line.split('\t'));
        }
    }

    /// All rows, each ended by a newline. The last cell of a row is not padded.
    pub fn render(&self) -> String {
        let mut widths: Vec<Vec<usize>> = self.rows.iter().map(|_| Vec::new()).collect();
        self.measure(0, self.rows.len(), 0, &mut widths);
        let mut out = String::new();
        for (row, widths) in self.rows.iter().zip(&widths) {
            for (at, cell) in row.iter().enumerate() {
                out.push_str(cell);
                if let Some(&width) = widths.get(at) {
                    let missing = width.saturating_sub(cell.chars().count());
                    out.extend(std::iter::repeat_n(' ', missing));
                }
            }
            out.push('\n');
        }
        out
    }

    /// Widths of column `column` in the rows `from..to`: a column is a run of rows that all have a cell after it.
    fn measure(&self, from: usize, to: usize, column: usize, widths: &mut [Vec<usize>]) {
        let goes_on = |row: usize| self.rows[row].len() > column + 1;
        let mut start = from;
        while start < to {
            if !goes_on(start) {
                start += 1;
                continue;
            }
            let end = (start..to).find(|&row| !goes_on(row)).unwrap_or(to);
            let longest = (start..end)
                .map(|row| self.rows[row][column].chars().count())
                .max()
                .unwrap_or(0);
            let width = (longest + PADDING).max(MIN_WIDTH);
            for of_row in &mut widths[start..end] {
                of_row.push(width);
            }
            self.measure(start, end, column + 1, widths);
            start = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_padded_to_ten_and_two() {
        let mut table = Table::new();
        table.row(["CONTAINER ID", "IMAGE", "NAMES"]);
        table.row(["0123456789ab", "docker.io/library/nginx", "web"]);
        assert_eq!(
            table.render(),
            "CONTAINER ID  IMAGE                    NAMES\n\
             0123456789ab  docker.io/library/nginx  web\n"
        );
        let mut short = Table::new();
        short.row(["A", "B"]);
        assert_eq!(short.render(), "A           B\n");
    }

    #[test]
    fn rows_of_other_lengths_do_not_widen_a_column() {
        let mut table = Table::new();
        table.tabbed("a\tb\na very long line without a cell after it\nc\td\n");
        assert_eq!(
            table.render(),
            "a           b\na very long line without a cell after it\nc           d\n"
        );
    }
}
