/* Keeps the page as the fleet is: what stands in <main> is exchanged for what /status/events says, element by
 * element, so that the focus, a selection, and the place on the page stay where they are. Without this script the
 * page is as it was when it was loaded. */
'use strict';

(() => {
	const SILENCE_MS = 25000; /* two beats and a half: the connection is lost */
	const RETRY_MS = 5000;    /* after an answer that was no stream */
	const main = document.getElementById('fleet');
	const live = document.getElementById('live');
	let source = null;
	let silence = 0;
	let retry = 0;

	/* --- what is shown ---------------------------------------------------------------------- */

	function say(kind, text) {
		live.hidden = false;
		if (live.className !== kind)
			live.className = kind;
		if (live.textContent !== text)
			live.textContent = text;
	}

	function syncAttributes(here, there) {
		for (const { name } of [...here.attributes])
			if (!there.hasAttribute(name))
				here.removeAttribute(name);
		for (const { name, value } of [...there.attributes])
			if (here.getAttribute(name) !== value)
				here.setAttribute(name, value);
	}

	function isAlike(here, there) {
		return here.nodeName === there.nodeName && (here.id || '') === (there.id || '');
	}

	function sync(here, there) {
		if (here.nodeType !== Node.ELEMENT_NODE) {
			if (here.nodeValue !== there.nodeValue)
				here.nodeValue = there.nodeValue;
			return;
		}
		syncAttributes(here, there);
		syncChildren(here, there);
	}

	function syncChildren(here, there) {
		let at = here.firstChild;
		for (const wanted of [...there.childNodes]) {
			if (at && isAlike(at, wanted)) {
				sync(at, wanted);
				at = at.nextSibling;
			} else {
				here.insertBefore(document.importNode(wanted, true), at);
			}
		}
		while (at) {
			const next = at.nextSibling;
			at.remove();
			at = next;
		}
	}

	function show(html) {
		const page = new DOMParser().parseFromString(html, 'text/html');
		const now = page.getElementById('state');
		const before = document.getElementById('state');
		if (!now)
			return;
		if (before && before.dataset.version !== now.dataset.version) {
			location.reload(); /* another mcp-fleetd: its page is another, too */
			return;
		}
		document.title = now.dataset.title;
		syncChildren(main, page.body);
	}

	/* --- the stream ------------------------------------------------------------------------- */

	function time() {
		return new Date().toLocaleTimeString([], { hour12: false });
	}

	let heard = time();

	function lose() {
		say('lost', `Connection lost. This is how the fleet was at ${heard}.`);
	}

	function stop() {
		clearTimeout(silence);
		clearTimeout(retry);
		if (source)
			source.close();
		source = null;
	}

	function listen() {
		stop();
		source = new EventSource('status/events');
		source.addEventListener('fleet', (event) => {
			show(event.data);
			heard = time();
			say('live', 'Live');
			clearTimeout(silence);
			silence = setTimeout(listenAnew, SILENCE_MS);
		});
		source.addEventListener('error', () => {
			lose();
			/* It tries again by itself, unless the answer was no stream. */
			if (source && source.readyState === EventSource.CLOSED)
				retry = setTimeout(listen, RETRY_MS);
		});
		silence = setTimeout(listenAnew, SILENCE_MS);
	}

	function listenAnew() {
		lose();
		listen();
	}

	/* A browser has few connections for one host: pages that nobody sees leave them to the others. */
	function follow() {
		if (document.hidden)
			stop();
		else if (!source)
			listen();
	}

	say('waiting', 'Connecting');
	document.addEventListener('visibilitychange', follow);
	window.addEventListener('pagehide', stop);
	window.addEventListener('pageshow', follow);
	follow();
})();
