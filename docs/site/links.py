"""Every link inside the site leads to a page that is there, and to a place on it.

SPDX-License-Identifier: MIT
"""
import html.parser
import pathlib
import sys
import urllib.parse


class Page(html.parser.HTMLParser):
    """What a page can be entered by, and where it leads."""

    def __init__(self, text):
        super().__init__()
        self.places, self.links = set(), []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if given.get("id"):
            self.places.add(given["id"])
        if tag == "a" and given.get("name"):
            self.places.add(given["name"])
        link = given.get("href" if tag in ("a", "link") else "src")
        if link:
            self.links.append(link)


def main():
    root = pathlib.Path(sys.argv[1])
    pages = {path.resolve(): Page(path.read_text()) for path in root.rglob("*.html")}
    broken = 0
    for path, page in pages.items():
        if path.name == "404.html":
            continue
        for link in page.links:
            parts = urllib.parse.urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else path
            place = urllib.parse.unquote(parts.fragment)
            is_there = target.exists() and (not place or target not in pages or place in pages[target].places)
            if not is_there and place != "__skip":
                print(f"docs: {path.relative_to(root.resolve())}: {link} leads nowhere")
                broken += 1
    print(f"docs: {len(pages)} pages in {root}, {sum(len(p.links) for p in pages.values())} links, {broken} broken")
    return 1 if broken else 0


sys.exit(main())
