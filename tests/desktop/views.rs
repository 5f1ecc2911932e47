//! What has to hold in every view of the window: nothing sticks out, everything can be read, and a picture is kept.

use serde_json::json;
use tributary_testkit::eventually;

use crate::shell::LIMIT;
use crate::web_driver::Window;

/// The views, in the order of the sidebar and of their keys.
const VIEWS: [&str; 6] = ["Overview", "Folders", "Computers & storage", "Transfers", "Problems", "Settings"];
/// As wide as the window opens.
const WIDE: u32 = 980;
/// The narrowest window that is promised.
const NARROW: u32 = 380;
/// WCAG 2.2, 1.4.3: the least contrast of text that is not large.
const LEAST_CONTRAST: f64 = 4.5;

impl Window {
    /// Looks at each view, wide and narrow, and keeps pictures of them as `LOOK-VIEW` and `LOOK-narrow-VIEW`.
    #[track_caller]
    pub fn look_at_each_view(&self, look: &str) {
        for width in [WIDE, NARROW] {
            self.resize(width, 700);
            for (number, view) in ('1'..).zip(VIEWS) {
                self.press_with_control(number);
                self.is_at(view);
                assert_eq!(self.sticking_out(), Vec::<String>::new(), "{view} fits into {width} pixels");
                assert_eq!(self.hard_to_read(), Vec::<String>::new(), "{view} can be read");
                assert_eq!(self.broken_headings(), Vec::<String>::new(), "{view} has whole words");
                let size = if width == NARROW { "-narrow" } else { "" };
                self.photograph(&format!("{look}{size}-{}", view.to_lowercase().replace(" & ", "-")));
            }
        }
    }

    /// Looks at what is there now, wide and narrow, and keeps pictures of it as `NAME` and `NAME-narrow`; in a frame as
    /// wide as it is, which is neither, as `beside-NAME` with its neighbour.
    #[track_caller]
    pub fn look_at(&self, name: &str) {
        if self.is_framed() {
            return self.look_at_size(name, &format!("beside-{name}"));
        }
        for (width, size) in [(NARROW, "-narrow"), (WIDE, "")] {
            self.resize(width, 700);
            self.look_at_size(name, &format!("{name}{size}"));
        }
    }

    #[track_caller]
    fn look_at_size(&self, name: &str, picture: &str) {
        assert_eq!(self.sticking_out(), Vec::<String>::new(), "{name} fits into its window");
        assert_eq!(self.hard_to_read(), Vec::<String>::new(), "{name} can be read");
        self.photograph(picture);
    }

    /// Waits until a view is the current one. Where there is little room its name is there and not seen.
    #[track_caller]
    pub fn is_at(&self, view: &str) {
        let current = "return document.querySelector('nav [aria-current]')?.textContent ?? ''";
        eventually(LIMIT, "the view is there", || self.script(current).contains(view).then_some(()));
        if view != "Overview" {
            self.shows("h1", view);
        }
    }

    /// What is wider than the room it has, and by how many pixels.
    #[track_caller]
    pub fn sticking_out(&self) -> Vec<String> {
        self.list(
            "const boxes = document.querySelectorAll('html, main, nav, .page, dialog, .card');
             return [...boxes].filter((box) => box.scrollWidth > box.clientWidth + 1)
                 .map((box) => `${box.tagName} ${box.className} ${box.scrollWidth - box.clientWidth}`)",
        )
    }

    /// The headings of which a word does not fit into its line: what squeezes them should go below.
    #[track_caller]
    fn broken_headings(&self) -> Vec<String> {
        self.list(
            "return [...document.querySelectorAll('h1')].filter((heading) => {
                 const text = document.createRange();
                 text.selectNodeContents(heading);
                 const lines = new Set([...text.getClientRects()].map((line) => Math.round(line.bottom)));
                 return lines.size > heading.innerText.trim().split(/\\s+/).length;
             }).map((heading) => heading.innerText)",
        )
    }

    /// The texts whose colour is too near to that of what is behind them. Text of what cannot be used is exempt.
    #[track_caller]
    pub fn hard_to_read(&self) -> Vec<String> {
        let script = r"
            const parts = (colour) => {
                const [r, g, b, a = 1] = colour.match(/[\d.]+/g)?.map(Number) ?? [0, 0, 0, 0];
                return { rgb: [r, g, b], a };
            };
            const over = (front, back) => front.rgb.map((c, i) => c * front.a + back[i] * (1 - front.a));
            const behind = (element) => {
                if (!element) return [255, 255, 255];
                const colour = parts(getComputedStyle(element).backgroundColor);
                return colour.a === 1 ? colour.rgb : over(colour, behind(element.parentElement));
            };
            const light = (rgb) => {
                const [r, g, b] = rgb.map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            const found = [];
            const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
            while (texts.nextNode()) {
                const element = texts.currentNode.parentElement;
                const text = texts.currentNode.data.trim();
                const hidden = !element.getClientRects().length || element.closest('.unseen, :disabled, title');
                if (!text || hidden) continue;
                const style = getComputedStyle(element);
                const back = behind(element);
                const front = over(parts(element instanceof SVGElement ? style.fill : style.color), back);
                const [a, b] = [light(front), light(back)].sort((x, y) => y - x);
                const contrast = (a + 0.05) / (b + 0.05);
                if (contrast < LEAST) found.push(`${contrast.toFixed(2)} ${text}`);
            }
            return found";
        self.list(&script.replace("LEAST", &LEAST_CONTRAST.to_string()))
    }

    #[track_caller]
    fn list(&self, script: &str) -> Vec<String> {
        let text = self.script(&format!("return JSON.stringify((() => {{ {script} }})())"));
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("no list of texts: {}", json!(text)))
    }
}
