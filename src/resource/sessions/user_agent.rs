//! What a user agent says about itself, as far as people recognise their own sessions by it: the common browsers,
//! systems and tools by name and version, everything else `Other`.

/// A name with its version, in parts; parts that are not said are empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    pub family: String,
    pub version: [String; 4],
}

/// What a user agent says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    pub browser: Named,
    pub system: Named,
    pub device: &'static str,
}

const OTHER: &str = "Other";

/// Browsers and tools by what their version follows; who pretends to be another comes before it.
const BROWSERS: [(&str, &str); 15] = [
    ("Edg/", "Edge"),
    ("EdgA/", "Edge Mobile"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox iOS"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome Mobile iOS"),
    ("HeadlessChrome/", "HeadlessChrome"),
    ("Chrome/", "Chrome"),
    ("Version/", "Safari"),
    ("python-requests/", "Python Requests"),
    ("Python-urllib/", "Python-urllib"),
    ("curl/", "curl"),
    ("Wget/", "Wget"),
    ("Go-http-client/", "Go-http-client"),
];

/// Systems, in the same way.
const SYSTEMS: [(&str, &str); 8] = [
    ("Windows NT ", "Windows"),
    ("Android ", "Android"),
    ("iPhone OS ", "iOS"),
    ("CPU OS ", "iOS"),
    ("Mac OS X ", "Mac OS X"),
    ("CrOS ", "Chrome OS"),
    ("Ubuntu", "Ubuntu"),
    ("Linux", "Linux"),
];

/// What Windows calls its versions, by what it says.
const WINDOWS: [(&str, &str); 5] = [("10.0", "10"), ("6.3", "8.1"), ("6.2", "8"), ("6.1", "7"), ("6.0", "Vista")];

fn found(text: &str, known: &[(&str, &str)]) -> Option<Named> {
    let (mark, family) = known.iter().find(|(mark, _)| text.contains(mark))?;
    let rest = text.split_once(mark).map_or("", |(_, rest)| rest);
    let number: String = rest.chars().take_while(|c| c.is_ascii_digit() || matches!(c, '.' | '_')).collect();
    let number = match WINDOWS.iter().find(|(said, _)| *family == "Windows" && *said == number) {
        Some((_, called)) => (*called).to_owned(),
        None => number,
    };
    let mut version: [String; 4] = Default::default();
    for (part, place) in number.split(['.', '_']).zip(&mut version) {
        *place = part.to_owned();
    }
    Some(Named { family: (*family).to_owned(), version })
}

/// Reads a user agent.
#[must_use]
pub fn read(text: &str) -> Agent {
    let other = || Named { family: OTHER.to_owned(), ..Named::default() };
    let device = [("iPhone", "iPhone"), ("iPad", "iPad"), ("Macintosh", "Mac")];
    let device = device.into_iter().find(|(mark, _)| text.contains(mark)).map_or(OTHER, |(_, device)| device);
    let mut browser = found(text, &BROWSERS).unwrap_or_else(other);
    if text.contains("Mobile") && matches!(browser.family.as_str(), "Chrome" | "Firefox" | "Safari") {
        browser.family.insert_str(0, "Mobile ");
        if browser.family == "Mobile Chrome" {
            browser.family = "Chrome Mobile".to_owned();
        }
    }
    Agent { browser, system: found(text, &SYSTEMS).unwrap_or_else(other), device }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_agents_are_recognised() {
        let edge = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 \
                    Safari/537.36 Edg/128.0.2739.42";
        let safari = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                      Version/17.5 Mobile/15E148 Safari/604.1";
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:129.0) Gecko/20100101 Firefox/129.0";
        for (text, browser, version, system, device) in [
            (edge, "Edge", "128.0.2739.42", "Windows 10", "Other"),
            (safari, "Mobile Safari", "17.5", "iOS 17.5.1", "iPhone"),
            (firefox, "Firefox", "129.0", "Linux", "Other"),
            ("python-requests/2.32.3", "Python Requests", "2.32.3", "Other", "Other"),
            ("curl/8.5.0", "curl", "8.5.0", "Other", "Other"),
            ("", "Other", "", "Other", "Other"),
        ] {
            let agent = read(text);
            let joined = |named: &Named| {
                named.version.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(".")
            };
            let os = format!("{} {}", agent.system.family, joined(&agent.system));
            assert_eq!(
                (agent.browser.family.as_str(), joined(&agent.browser).as_str(), os.trim(), agent.device),
                (browser, version, system, device),
                "{text}"
            );
        }
    }
}
