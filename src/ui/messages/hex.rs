//! Bytes that are no text: offset, sixteen bytes, and the letters among them.

use std::fmt::Write as _;

use crate::theme::Role;
use crate::ui::widget::Cell;

/// Columns that sixteen bytes on a line take.
const WIDE: usize = 6 + 2 + (16 * 3) + 2 + 16;

/// The dump on lines, at most so many.
pub fn lines(bytes: &[u8], columns: usize, most: usize) -> Vec<Cell> {
    let each = if columns >= WIDE { 16 } else { 8 };
    bytes.chunks(each).take(most).enumerate().map(|(row, chunk)| line(row * each, chunk, each)).collect()
}

fn line(offset: usize, chunk: &[u8], each: usize) -> Cell {
    let mut hex = String::new();
    for at in 0..each {
        if at > 0 {
            hex.push_str(if at % 8 == 0 { "  " } else { " " });
        }
        match chunk.get(at) {
            Some(byte) => {
                let _ = write!(hex, "{byte:02x}");
            }
            None => hex.push_str("  "),
        }
    }
    let mut cell = Cell::styled(format!("{offset:06x}  "), Role::Muted)
        .then(hex, Role::DataNumber)
        .then("  ", Role::Text);
    let letters: String =
        chunk.iter().map(|byte| if matches!(byte, 0x20..=0x7e) { char::from(*byte) } else { '.' }).collect();
    cell = cell.then(letters, Role::DataText);
    cell
}

/// The first bytes on one line.
pub fn one_line(bytes: &[u8], most: usize) -> String {
    let shown: Vec<String> = bytes.iter().take(most).map(|byte| format!("{byte:02x}")).collect();
    shown.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sixteen_bytes_or_eight() {
        let bytes: Vec<u8> = b"Headwater\x00\xff\x1b[2J~ and more".to_vec();
        let wide: Vec<String> = lines(&bytes, 76, 10).iter().map(Cell::plain).collect();
        assert_eq!(
            wide,
            [
                "000000  48 65 61 64 77 61 74 65  72 00 ff 1b 5b 32 4a 7e  Headwater...[2J~",
                "000010  20 61 6e 64 20 6d 6f 72  65                        and more",
            ]
        );
        let narrow = lines(&bytes, 50, 1);
        assert_eq!(
            narrow.first().map(Cell::plain).as_deref(),
            Some("000000  48 65 61 64 77 61 74 65  Headwate")
        );
        assert_eq!(one_line(&bytes, 3), "48 65 61");
    }

    proptest! {
        #[test]
        fn any_bytes_are_bounded(bytes in prop::collection::vec(any::<u8>(), 0..2_000), columns in 0usize..100, most in 0usize..40) {
            let lines = lines(&bytes, columns, most);
            prop_assert!(lines.len() <= most);
            prop_assert!(lines.iter().all(|line| line.plain().is_ascii() && line.width() <= WIDE));
        }
    }
}
