//! Tables: aligned columns under a dim heading, no borders.

use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Table, presets};

/// Starts a table. A heading that begins with `>` aligns its column to the right.
pub(crate) fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .enforce_styling();
    table.style_text_only();
    table.set_header(
        headings
            .iter()
            .map(|h| Cell::new(h.trim_start_matches('>')).add_attribute(Attribute::Dim)),
    );
    let last = headings.len().saturating_sub(1);
    for (i, heading) in headings.iter().enumerate() {
        if let Some(column) = table.column_mut(i) {
            column.set_padding((0, if i == last { 0 } else { 2 }));
            if heading.starts_with('>') {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    table
}

/// The table as text, each line ended.
pub(crate) fn render(table: &Table) -> String {
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_without_trailing_space() {
        let mut table = table(&["NAME", ">COUNT", "STATE"]);
        table
            .add_row(["a", "1", "up"])
            .add_row(["longer", "1,000", "gone"]);
        let text = anstream::adapter::strip_str(&render(&table)).to_string();
        assert_eq!(
            text,
            "NAME    COUNT  STATE\na           1  up\nlonger  1,000  gone\n"
        );
    }
}
