// What a page lacks for those who see little, nothing, or on a phone.
(() => {
	const faults = [];
	const fault = (what, node) => faults.push(what + ": " + (node.textContent || node.outerHTML || "").trim().replace(/\s+/g, " ").slice(0, 80));
	const all = (selector) => [...document.querySelectorAll(selector)];

	// One h1 at the beginning, and no level is left out.
	let level = 0;
	const headings = all("h1, h2, h3, h4, h5, h6");
	headings.forEach((h) => {
		const now = Number(h.tagName[1]);
		if (now > level + 1) fault("a heading of level " + now + " below level " + level, h);
		if (!h.textContent.trim()) fault("an empty heading", h);
		level = now;
	});
	if (all("h1").length !== 1 || headings[0].tagName !== "H1") fault("h1", document.body);
	if (!document.documentElement.lang || !document.title) fault("no language or title", document.head);
	for (const landmark of ["main", "header", "footer"]) if (all(landmark).length !== 1) fault("no " + landmark, document.body);
	const ids = all("[id]").map((e) => e.id);
	ids.filter((id, i) => ids.indexOf(id) !== i).forEach((id) => faults.push("id twice: " + id));

	// Each picture has a name, or says nothing that stands beside it in words.
	const pictures = all("svg").filter((s) => !s.parentElement.closest("svg"));
	let shown = 0;
	pictures.forEach((s) => {
		if (s.getAttribute("aria-hidden") === "true") return;
		shown++;
		const by = (s.getAttribute("aria-labelledby") || "").split(" ").filter(Boolean).map((id) => document.getElementById(id));
		const name = s.getAttribute("aria-label") || by.map((e) => e && e.textContent.trim()).filter(Boolean).join(" ");
		if (s.getAttribute("role") !== "img" || name.length < 8 || by.includes(null)) fault("a picture without a text", s);
		const box = s.getBoundingClientRect();
		s.querySelectorAll("text, rect, svg.sign").forEach((e) => {
			const r = e.getBoundingClientRect();
			if (r.left < box.left - 1 || r.right > box.right + 1 || r.top < box.top - 1 || r.bottom > box.bottom + 1) fault("cut off in its picture", e);
		});
		const texts = [...s.querySelectorAll("text")];
		texts.forEach((a, i) => texts.slice(i + 1).forEach((b) => {
			const p = a.getBoundingClientRect(), q = b.getBoundingClientRect();
			const wide = Math.min(p.right, q.right) - Math.max(p.left, q.left), high = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
			if (wide > 1 && high > 5) fault("texts on each other: " + a.textContent + " and", b);
		}));
	});
	all("table").forEach((t) => { if (!t.querySelector("th[scope]")) fault("a table without headings", t); });
	all("img, iframe, script, object, embed, link, a").forEach((e) => fault("not self-contained", e));

	// Nothing is wider than the screen.
	const width = document.documentElement.clientWidth;
	if (document.documentElement.scrollWidth > width) faults.push("the page is " + document.documentElement.scrollWidth + " wide on " + width);
	all("body *").forEach((e) => {
		const r = e.getBoundingClientRect();
		if (r.right > width + 1 || r.left < -1) fault("beyond the screen", e);
		if (e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0 && !e.closest("svg")) fault("has to be scrolled", e);
	});

	// Contrast and size of each text (WCAG 2.2, 1.4.3).
	const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
	const rgb = (css) => {
		paint.clearRect(0, 0, 1, 1);
		paint.fillStyle = css;
		paint.fillRect(0, 0, 1, 1);
		return [...paint.getImageData(0, 0, 1, 1).data];
	};
	const light = (c) => {
		const [r, g, b] = c.slice(0, 3).map((v) => (v /= 255, v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const ratio = (a, b) => {
		const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
		return (x + 0.05) / (y + 0.05);
	};
	const ground = (e) => {
		for (; e; e = e.parentElement) {
			const c = rgb(getComputedStyle(e).backgroundColor);
			if (c[3] === 255) return c;
		}
		return [255, 255, 255, 255];
	};
	let texts = 0;
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (walk.nextNode()) {
		const e = walk.currentNode.parentElement;
		if (!walk.currentNode.textContent.trim() || e.closest("title, desc")) continue;
		texts++;
		const style = getComputedStyle(e), svg = e instanceof SVGElement;
		let behind = ground(e);
		if (svg && e.classList.contains("number")) behind = rgb(getComputedStyle(e.closest("svg").querySelector("rect")).fill);
		const size = parseFloat(style.fontSize) * (svg ? e.getScreenCTM().a : 1), bold = Number(style.fontWeight) >= 700;
		const least = size >= 24 || bold && size >= 18.66 ? 3 : 4.5;
		const is = ratio(rgb(svg ? style.fill : style.color), behind);
		if (is < least) fault("contrast " + is.toFixed(2) + " of " + least, e);
		if (size < 11) fault("letters of " + size.toFixed(1) + " px", e);
	}
	// Signs and lines that mean something (1.4.11).
	all("svg.sign circle, rect.signs, rect.drains, .score .part").forEach((e) => {
		const style = getComputedStyle(e), is = ratio(rgb(style.fill === "none" ? style.stroke : style.fill), ground(e.closest("svg").parentElement));
		if (is < 2) fault("contrast of a sign " + is.toFixed(2), e);
	});
	return { Faults: faults.slice(0, 40), Texts: texts, Pictures: shown };
})()
