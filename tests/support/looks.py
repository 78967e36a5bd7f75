"""What is wrong with the look of a page of the site, asked of the browser that shows it."""

from __future__ import annotations

# What sticks out of the place that it has: of the page, or of a box that does not scroll.
STICKS_OUT = """() => {
    const found = [];
    const article = document.querySelector('article');
    const right = article.getBoundingClientRect().right + 8;  // headings and tables have soft edges
    const scrolls = one => one !== article && one !== null
        && (getComputedStyle(one).overflowX !== 'visible' || scrolls(one.parentElement));
    for (const one of article.querySelectorAll('*'))
        if (one.getBoundingClientRect().right > right && !scrolls(one)) found.push(one.outerHTML);
    if (document.documentElement.scrollWidth > innerWidth) found.push('the page');
    return found.map(one => one.slice(0, 200));
}"""

# Text that is too faint for its ground: below 4.5 to 1, WCAG 2.2, 1.4.3.  What stands in an
# <svg> is a picture's, and is tested there.
FAINT = """() => {
    const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map(one => one / 255)
        .map(one => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
        .reduce((sum, one, place) => sum + one * [0.2126, 0.7152, 0.0722][place], 0);
    const ground = one => {
        for (; one; one = one.parentElement) {
            const [r, g, b, a = 1] = numbers(getComputedStyle(one).backgroundColor);
            if (a > 0.99) return [r, g, b];
        }
        return [255, 255, 255];
    };
    const found = [];
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const one = texts.currentNode.parentElement;
        if (!/[\\p{L}\\p{N}]/u.test(texts.currentNode.data)) continue;  // a mark is no text
        if (one.closest('svg, script, style, noscript, .headerlink') || !one.checkVisibility())
            continue;
        const [a, b] = [light(numbers(getComputedStyle(one).color)), light(ground(one))];
        const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (contrast < 4.5)
            found.push(contrast.toFixed(2) + ' ' + texts.currentNode.data.trim().slice(0, 60));
    }
    return found;
}"""
