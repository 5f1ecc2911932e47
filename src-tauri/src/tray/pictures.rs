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
}

/// The pictures for a state, smallest first.
pub(super) fn of(state: FolderState, tone: Tone) -> Vec<ksni::Icon> {
    let images: [Image<'static>; 3] = match (state, tone) {
        (FolderState::UpToDate, Tone::Light) => [
            include_image!("../icons/tray/upToDate-light-16.png"),
            include_image!("../icons/tray/upToDate-light-22.png"),
            include_image!("../icons/tray/upToDate-light-32.png"),
        ],
        (FolderState::UpToDate, Tone::Dark) => [
            include_image!("../icons/tray/upToDate-dark-16.png"),
            include_image!("../icons/tray/upToDate-dark-22.png"),
            include_image!("../icons/tray/upToDate-dark-32.png"),
        ],
        (FolderState::Waiting, Tone::Light) => [
            include_image!("../icons/tray/waiting-light-16.png"),
            include_image!("../icons/tray/waiting-light-22.png"),
            include_image!("../icons/tray/waiting-light-32.png"),
        ],
        (FolderState::Waiting, Tone::Dark) => [
            include_image!("../icons/tray/waiting-dark-16.png"),
            include_image!("../icons/tray/waiting-dark-22.png"),
            include_image!("../icons/tray/waiting-dark-32.png"),
        ],
        (FolderState::Working, Tone::Light) => [
            include_image!("../icons/tray/working-light-16.png"),
            include_image!("../icons/tray/working-light-22.png"),
            include_image!("../icons/tray/working-light-32.png"),
        ],
        (FolderState::Working, Tone::Dark) => [
            include_image!("../icons/tray/working-dark-16.png"),
            include_image!("../icons/tray/working-dark-22.png"),
            include_image!("../icons/tray/working-dark-32.png"),
        ],
        (FolderState::Paused, Tone::Light) => [
            include_image!("../icons/tray/paused-light-16.png"),
            include_image!("../icons/tray/paused-light-22.png"),
            include_image!("../icons/tray/paused-light-32.png"),
        ],
        (FolderState::Paused, Tone::Dark) => [
            include_image!("../icons/tray/paused-dark-16.png"),
            include_image!("../icons/tray/paused-dark-22.png"),
            include_image!("../icons/tray/paused-dark-32.png"),
        ],
        (FolderState::NeedsYou, Tone::Light) => [
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
    images.into_iter().map(argb).collect()
}

/// StatusNotifierItem wants ARGB in network byte order.
fn argb(image: Image<'static>) -> ksni::Icon {
    let mut data = image.rgba().to_vec();
    for pixel in data.chunks_exact_mut(4) {
        pixel.rotate_right(1);
    }
    let pixels = |size: u32| i32::try_from(size).expect("drawn at 32 pixels at most");
    ksni::Icon { width: pixels(image.width()), height: pixels(image.height()), data }
}
