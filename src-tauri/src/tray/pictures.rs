//! The tray's pictures: one shape per state, each drawn for 16, 22 and 32 px, so that a host need not scale.

use tauri::image::Image;
use tauri::include_image;
use tributary_status::FolderState;

/// Which panel the picture is drawn for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Light strokes, for a dark panel.
    Light,
    /// Dark strokes, for a light panel.
    Dark,
    /// The mark's own colour, which stands out from either, where nobody tells what the panel is.
    Middle,
}

/// The strokes of [`Tone::Middle`]: red, green, blue.
const MIDDLE: [u8; 3] = [0x2a, 0x8a, 0x9c];

/// The pictures for a state, smallest first.
pub(super) fn of(state: FolderState, tone: Tone) -> Vec<ksni::Icon> {
    let images: [Image<'static>; 3] = match (state, tone) {
        (FolderState::UpToDate, Tone::Light | Tone::Middle) => [
            include_image!("../icons/tray/upToDate-light-16.png"),
            include_image!("../icons/tray/upToDate-light-22.png"),
            include_image!("../icons/tray/upToDate-light-32.png"),
        ],
        (FolderState::UpToDate, Tone::Dark) => [
            include_image!("../icons/tray/upToDate-dark-16.png"),
            include_image!("../icons/tray/upToDate-dark-22.png"),
            include_image!("../icons/tray/upToDate-dark-32.png"),
        ],
        (FolderState::Waiting, Tone::Light | Tone::Middle) => [
            include_image!("../icons/tray/waiting-light-16.png"),
            include_image!("../icons/tray/waiting-light-22.png"),
            include_image!("../icons/tray/waiting-light-32.png"),
        ],
        (FolderState::Waiting, Tone::Dark) => [
            include_image!("../icons/tray/waiting-dark-16.png"),
            include_image!("../icons/tray/waiting-dark-22.png"),
            include_image!("../icons/tray/waiting-dark-32.png"),
        ],
        (FolderState::Working, Tone::Light | Tone::Middle) => [
            include_image!("../icons/tray/working-light-16.png"),
            include_image!("../icons/tray/working-light-22.png"),
            include_image!("../icons/tray/working-light-32.png"),
        ],
        (FolderState::Working, Tone::Dark) => [
            include_image!("../icons/tray/working-dark-16.png"),
            include_image!("../icons/tray/working-dark-22.png"),
            include_image!("../icons/tray/working-dark-32.png"),
        ],
        (FolderState::Paused, Tone::Light | Tone::Middle) => [
            include_image!("../icons/tray/paused-light-16.png"),
            include_image!("../icons/tray/paused-light-22.png"),
            include_image!("../icons/tray/paused-light-32.png"),
        ],
        (FolderState::Paused, Tone::Dark) => [
            include_image!("../icons/tray/paused-dark-16.png"),
            include_image!("../icons/tray/paused-dark-22.png"),
            include_image!("../icons/tray/paused-dark-32.png"),
        ],
        (FolderState::NeedsYou, Tone::Light | Tone::Middle) => [
            include_image!("../icons/tray/needsYou-light-16.png"),
            include_image!("../icons/tray/needsYou-light-22.png"),
            include_image!("../icons/tray/needsYou-light-32.png"),
        ],
        (FolderState::NeedsYou, Tone::Dark) => [
            include_image!("../icons/tray/needsYou-dark-16.png"),
            include_image!("../icons/tray/needsYou-dark-22.png"),
            include_image!("../icons/tray/needsYou-dark-32.png"),
        ],
    };
    images.into_iter().map(|image| argb(image, tone)).collect()
}

/// StatusNotifierItem wants ARGB in network byte order.
fn argb(image: Image<'static>, tone: Tone) -> ksni::Icon {
    let mut data = image.rgba().to_vec();
    for pixel in data.chunks_exact_mut(4) {
        if tone == Tone::Middle {
            // The shape is in the transparency alone: a picture has one colour.
            pixel[..3].copy_from_slice(&MIDDLE);
        }
        pixel.rotate_right(1);
    }
    let pixels = |size: u32| i32::try_from(size).expect("drawn at 32 pixels at most");
    ksni::Icon { width: pixels(image.width()), height: pixels(image.height()), data }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lightness of WCAG 2.2, "relative luminance".
    fn luminance(colour: [u8; 3]) -> f64 {
        let linear = colour.map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    }

    #[test]
    fn the_middle_tone_stands_out_from_light_and_dark_panels() {
        for panel in [[0xff; 3], [0xf6, 0xf5, 0xf4], [0x2b; 3], [0; 3]] {
            let (one, other) = (luminance(MIDDLE), luminance(panel));
            let contrast = (one.max(other) + 0.05) / (one.min(other) + 0.05);
            assert!(contrast >= 3.0, "WCAG asks for 3 for what is no text; on {panel:?} it is {contrast:.1}");
        }
    }

    #[test]
    fn the_middle_tone_keeps_the_shape() {
        let (light, middle) = (of(FolderState::Waiting, Tone::Light), of(FolderState::Waiting, Tone::Middle));
        for (light, middle) in light.iter().zip(&middle) {
            let alpha = |icon: &ksni::Icon| icon.data.iter().step_by(4).copied().collect::<Vec<_>>();
            assert_eq!(alpha(light), alpha(middle));
            assert!(middle.data.chunks(4).all(|pixel| pixel[1..] == MIDDLE));
        }
    }
}
