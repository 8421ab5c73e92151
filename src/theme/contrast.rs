//! How well one colour is read on another.

use ratatui::style::Color;

/// The contrast ratio of WCAG 2 (1 = same, 21 = black on white), if both colours are RGB.
pub fn contrast_ratio(a: Color, b: Color) -> Option<f64> {
    let (a, b) = (luminance(a)?, luminance(b)?);
    Some((a.max(b) + 0.05) / (a.min(b) + 0.05))
}

fn luminance(colour: Color) -> Option<f64> {
    let Color::Rgb(r, g, b) = colour else { return None };
    let linear = |channel: u8| {
        let c = f64::from(channel) / 255.0;
        if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    };
    Some(0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_ratios() {
        let ratio = contrast_ratio(Color::Rgb(0, 0, 0), Color::Rgb(255, 255, 255)).unwrap();
        assert!((ratio - 21.0).abs() < 1e-9);
        let same = contrast_ratio(Color::Rgb(9, 9, 9), Color::Rgb(9, 9, 9)).unwrap();
        assert!((same - 1.0).abs() < 1e-9);
        assert_eq!(contrast_ratio(Color::Red, Color::Rgb(0, 0, 0)), None);
    }
}
