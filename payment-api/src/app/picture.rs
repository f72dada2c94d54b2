//! A code or an order number as a picture: QR and Code 128, as SVG.
//!
//! Scanners at tills are old and cheap, so nothing is left to chance: black on white whatever the App's theme, whole
//! pixels for every module, the full quiet zone inside the picture, and the bare text without FNC1 or ECI, which some
//! scanners pass on as letters.

use std::fmt::Write;

use barcoders::sym::code128::Code128;
use metropay_core::problem::Problem;
use qrcode::{Color, EcLevel, QrCode};

/// Letters of a text that is drawn, at most.
pub const TEXT_MAX: usize = 64;
/// Pixels of one module, at most.
pub const MODULE_PX_MAX: u32 = 20;
/// White modules around a QR code.
const QR_QUIET: u32 = 4;
/// White modules to the left and right of the bars.
const BARS_QUIET: u32 = 10;
/// The bars are a quarter as high as the picture is wide: 15 mm where it is shown 60 mm wide.
const BARS_WIDTH_TO_HEIGHT: u32 = 4;

/// A black rectangle, in modules.
struct Rect {
    x: u32,
    y: u32,
    width: u32,
    height: u32,
}

/// Draws a QR code with error correction level Q: 20 or 24 digits fit version 1. The title is read out to those who
/// cannot see the picture; it must not contain the digits of a consumption code, which nobody should be told.
///
/// # Errors
/// `PARAM_INVALID` when the text is not 2 to [`TEXT_MAX`] printable ASCII letters, or a module is not 1 to
/// [`MODULE_PX_MAX`] pixels.
pub fn qr(text: &str, title: &str, module_px: u32) -> Result<String, Problem> {
    check(text, module_px)?;
    // The encoder picks the densest mode, which for digits is the numeric one.
    let code = QrCode::with_error_correction_level(text, EcLevel::Q).map_err(Problem::fault)?;
    let size = u32::try_from(code.width()).map_err(Problem::fault)?;
    let mut rects = Vec::new();
    for (y, row) in (QR_QUIET..).zip(code.to_colors().chunks(code.width())) {
        let dark = row.iter().map(|color| *color == Color::Dark);
        rects.extend(runs(dark, QR_QUIET).map(|(x, width)| Rect { x, y, width, height: 1 }));
    }
    let side = size.saturating_add(2 * QR_QUIET);
    Ok(svg(title, side, side, module_px, &rects))
}

/// Draws Code 128: set C (two digits a symbol) for an even number of digits, set B for everything else. The title is as
/// for [`qr`].
///
/// # Errors
/// As for [`qr`].
pub fn bars(text: &str, title: &str, module_px: u32) -> Result<String, Problem> {
    check(text, module_px)?;
    let pairs = text.len().is_multiple_of(2) && text.bytes().all(|b| b.is_ascii_digit());
    // The encoder takes the start symbol of a set as a first letter: Ć starts C, Ɓ starts B.
    let start = if pairs { 'Ć' } else { 'Ɓ' };
    let modules = Code128::new(format!("{start}{text}"))
        .map_err(|_| Problem::invalid("code", "letters that Code 128 has"))?
        .encode();
    let size = u32::try_from(modules.len()).map_err(Problem::fault)?;
    let width = size.saturating_add(2 * BARS_QUIET);
    let height = width.div_ceil(BARS_WIDTH_TO_HEIGHT);
    let dark = modules.iter().map(|module| *module == 1);
    let rects: Vec<Rect> = runs(dark, BARS_QUIET)
        .map(|(x, width)| Rect { x, y: 0, width, height })
        .collect();
    Ok(svg(title, width, height, module_px, &rects))
}

fn check(text: &str, module_px: u32) -> Result<(), Problem> {
    if !(2..=TEXT_MAX).contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Problem::invalid(
            "code",
            "2 to 64 printable ASCII letters without spaces",
        ));
    }
    if !(1..=MODULE_PX_MAX).contains(&module_px) {
        return Err(Problem::invalid("module_px", "1 to 20"));
    }
    Ok(())
}

/// Where dark modules stand together: first module, counted from `start`, and how many.
fn runs(dark: impl Iterator<Item = bool>, start: u32) -> impl Iterator<Item = (u32, u32)> {
    let mut found: Vec<(u32, u32)> = Vec::new();
    for (x, _) in (start..).zip(dark).filter(|(_, dark)| *dark) {
        match found.last_mut() {
            Some((from, length)) if from.saturating_add(*length) == x => *length = length.saturating_add(1),
            _ => found.push((x, 1)),
        }
    }
    found.into_iter()
}

/// The picture: a white ground, and one black path. Sizes come in modules and go out in pixels.
fn svg(title: &str, width: u32, height: u32, module_px: u32, rects: &[Rect]) -> String {
    let px = |modules: u32| modules.saturating_mul(module_px);
    let mut path = String::new();
    for rect in rects {
        let (x, y, w, h) = (px(rect.x), px(rect.y), px(rect.width), px(rect.height));
        write!(path, "M{x} {y}h{w}v{h}h-{w}z").expect("a string takes what is written to it");
    }
    let (width, height, title) = (px(width), px(height), escape(title));
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" shape-rendering="crispEdges"><title>{title}</title><rect width="{width}" height="{height}" fill="#ffffff"/><path d="{path}" fill="#000000"/></svg>"##
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use metropay_core::problem::Code;
    use metropay_core::random::{Random, SeededRandom};
    use rxing::BarcodeFormat;

    use super::*;

    /// What a scanner would see: one byte of brightness a pixel.
    struct Image {
        width: usize,
        height: usize,
        luma: Vec<u8>,
    }

    fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
        text.split_once(before).unwrap().1.split_once(after).unwrap().0
    }

    /// Draws the SVG: the white ground, then every rectangle of the path.
    fn draw(svg: &str) -> Image {
        let side = |name: &str| between(svg, &format!(" {name}=\""), "\"").parse::<usize>().unwrap();
        let (width, height) = (side("width"), side("height"));
        assert!(svg.contains(&format!(
            r##"<rect width="{width}" height="{height}" fill="#ffffff"/>"##
        )));
        let mut luma = vec![255; width * height];
        let path = between(svg, "<path d=\"", "\" fill=\"#000000\"/>");
        for rect in path.split_terminator('z') {
            let numbers: Vec<usize> = rect
                .split(|c: char| !c.is_ascii_digit())
                .filter_map(|n| n.parse().ok())
                .collect();
            let [x, y, w, h, back] = numbers[..] else {
                panic!("{rect}")
            };
            assert_eq!(w, back, "the path closes");
            for row in y..y + h {
                luma[row * width + x..row * width + x + w].fill(0);
            }
        }
        Image { width, height, luma }
    }

    impl Image {
        fn each(&self, value: impl Fn(usize, usize) -> usize, width: usize, height: usize) -> Self {
            let luma = (0..height)
                .flat_map(|y| (0..width).map(move |x| (x, y)))
                .map(|(x, y)| u8::try_from(value(x, y)).unwrap())
                .collect();
            Self { width, height, luma }
        }

        fn at(&self, x: usize, y: usize) -> usize {
            usize::from(self.luma[y * self.width + x])
        }

        /// A screen at 60 % of its brightness.
        fn dimmed(&self) -> Self {
            self.each(|x, y| self.at(x, y) * 6 / 10, self.width, self.height)
        }

        /// A lens out of focus: the mean over three by three pixels.
        fn blurred(&self) -> Self {
            let near = |i: usize, end: usize| i.saturating_sub(1)..=(i + 1).min(end - 1);
            let mean = |x: usize, y: usize| {
                let seen: Vec<usize> = near(y, self.height)
                    .flat_map(|y| near(x, self.width).map(move |x| (x, y)))
                    .map(|(x, y)| self.at(x, y))
                    .collect();
                seen.iter().sum::<usize>() / seen.len()
            };
            self.each(mean, self.width, self.height)
        }

        /// A phone held upside down.
        fn turned(&self) -> Self {
            let (right, bottom) = (self.width - 1, self.height - 1);
            self.each(|x, y| self.at(right - x, bottom - y), self.width, self.height)
        }

        fn read(&self, format: BarcodeFormat) -> Option<String> {
            let mut hints = rxing::DecodeHints::default();
            let (width, height) = (self.width.try_into().unwrap(), self.height.try_into().unwrap());
            rxing::helpers::detect_in_luma_with_hints(self.luma.clone(), width, height, Some(format), &mut hints)
                .ok()
                .map(|found| found.getText().to_owned())
        }
    }

    fn codes() -> impl Iterator<Item = String> {
        let random = SeededRandom::new(20);
        (0..200).map(move |_| format!("771{}", random.digits(17)))
    }

    #[test]
    fn another_program_reads_every_code_back_from_both_pictures() {
        for code in codes() {
            let qr = draw(&qr(&code, "消费码", 4).unwrap());
            assert_eq!(qr.read(BarcodeFormat::QR_CODE).as_deref(), Some(code.as_str()));
            let bars = draw(&bars(&code, "消费码", 2).unwrap());
            assert_eq!(bars.read(BarcodeFormat::CODE_128).as_deref(), Some(code.as_str()));
        }
    }

    #[test]
    fn a_dim_blurred_or_turned_screen_is_read_as_well() {
        for code in codes().take(3) {
            // The bars over nearly the whole width of screens of 720, 1080 and 1440 pixels.
            for module_px in [4, 6, 8] {
                let pictures = [
                    (draw(&qr(&code, "", module_px).unwrap()), BarcodeFormat::QR_CODE),
                    (draw(&bars(&code, "", module_px).unwrap()), BarcodeFormat::CODE_128),
                ];
                for (image, format) in pictures {
                    let seen = [
                        ("dimmed", image.dimmed()),
                        ("blurred", image.blurred()),
                        ("turned", image.turned()),
                        ("turned and dimmed", image.turned().dimmed()),
                        ("turned and blurred", image.turned().blurred()),
                    ];
                    for (how, seen) in seen {
                        assert_eq!(
                            seen.read(format).as_deref(),
                            Some(code.as_str()),
                            "{how}, {module_px} px {format:?}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn order_numbers_with_letters_are_read_back() {
        let texts = [
            "P20260801120000123ABCDEFGHJKLM",
            "SZTX-0001_x~2",
            "771",
            "00",
            "A1",
            &"9".repeat(64),
        ];
        for text in texts {
            let qr = draw(&qr(text, "", 4).unwrap());
            assert_eq!(qr.read(BarcodeFormat::QR_CODE).as_deref(), Some(text));
            let bars = draw(&bars(text, "", 3).unwrap());
            assert_eq!(bars.read(BarcodeFormat::CODE_128).as_deref(), Some(text));
        }
    }

    #[test]
    fn sizes_are_those_of_the_layout() {
        // Text, modules of a QR side, modules of the bars; each without its quiet zone.
        let cases = [
            ("77112345678901234565", 21, 145),
            ("775123456789012345678901", 21, 167),
            ("771", 21, 68),
            // Level Q takes 27 digits in version 1, M would take 34, and H only 17.
            ("771234567890123456789012345", 21, 332),
            ("7712345678901234567890123456", 25, 189),
        ];
        for (text, side, length) in cases {
            for px in [1, 3] {
                let qr = draw(&qr(text, "", px).unwrap());
                let px = usize::try_from(px).unwrap();
                assert_eq!((qr.width, qr.height), ((side + 8) * px, (side + 8) * px), "{text}");
                let bars = draw(&super::bars(text, "", u32::try_from(px).unwrap()).unwrap());
                assert_eq!(bars.width, (length + 20) * px, "{text}");
                // 15 mm high where 60 mm wide.
                assert!(bars.height * 60 >= bars.width * 15, "{text}");
            }
        }
    }

    #[test]
    fn quiet_zones_are_white_and_modules_are_whole_pixels() {
        let px = 3;
        let qr = draw(&qr("77112345678901234565", "", 3).unwrap());
        let bars = draw(&bars("77112345678901234565", "", 3).unwrap());
        for (image, across, above) in [(&qr, 4, 4), (&bars, 10, 0)] {
            let (inner_x, inner_y) = (
                across * px..image.width - across * px,
                above * px..image.height - above * px,
            );
            for y in 0..image.height {
                for x in 0..image.width {
                    if !inner_x.contains(&x) || !inner_y.contains(&y) {
                        assert_eq!(image.at(x, y), 255, "quiet zone at {x}, {y}");
                    }
                    assert_eq!(
                        image.at(x, y),
                        image.at(x / px * px, y / px * px),
                        "one module at {x}, {y}"
                    );
                }
            }
            assert_eq!(image.at(inner_x.start, inner_y.start), 0, "no wider than needed");
            assert_eq!(image.at(inner_x.end - 1, inner_y.start), 0, "no wider than needed");
        }
    }

    #[test]
    fn the_title_is_text_and_never_markup() {
        let drawn = [
            qr("7711", "消费码 <script> & 'x'", 1).unwrap(),
            bars("7711", "消费码 <script> & 'x'", 1).unwrap(),
        ];
        for svg in drawn {
            assert!(svg.contains("<title>消费码 &lt;script&gt; &amp; 'x'</title>"));
            assert!(!svg.contains("7711"));
        }
    }

    #[test]
    fn what_cannot_be_drawn_is_refused() {
        let long = "9".repeat(65);
        let cases = [
            ("", 1),
            ("7", 1),
            ("中文", 1),
            ("12 34", 1),
            ("12\n34", 1),
            (&long, 1),
            ("7711", 0),
            ("7711", 21),
        ];
        for (text, px) in cases {
            for drawn in [qr(text, "", px), bars(text, "", px)] {
                assert_eq!(drawn.unwrap_err().code, Code::ParamInvalid, "{text} at {px}");
            }
        }
    }
}
