"""What a picture's frame says about its ground, and which pixels are ground (ours)."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from .colour import blur, densest, from_oklab, grain, oklab, polynomials, robust_fit, steps
from .drop_shadow import ShadowScene, shadowed_ground

NEAR = 0.035  # OKLab distance at which colours still count as the same (about 2 just-noticeable differences)
AREA = 0.7  # weight of the kept area against the outline's share on edges, when shadow depths are compared
_CROSS = ndimage.generate_binary_structure(2, 1)
_BOX = np.ones((3, 3), bool)


class Ground:
    """What the frame says about the ground, for one image at working size."""

    def __init__(self, rgb: np.ndarray) -> None:
        self.shape = rgb.shape[:2]
        lab = oklab(rgb)
        self.noise = grain(lab)
        if self.noise > 0.008:  # grain: an edge-keeping filter first, stronger for more grain
            size = 3 if self.noise < 0.03 else 5
            rgb = np.stack([ndimage.median_filter(rgb[..., c], size) for c in range(3)], -1)
            lab = oklab(rgb)
        self.rgb, self.lab = rgb, lab
        self.tolerance = NEAR + (0.8 if self.noise > 0.008 else 1.5) * self.noise
        self.basis = polynomials(*self.shape, order=2)
        band = max(1, round(min(self.shape) * 0.02))
        self.frame = np.ones(self.shape, bool)
        self.frame[band:-band, band:-band] = False
        self.fields = self._fit()

    def _fit(self) -> list[np.ndarray]:
        """Colour fields, each (H, W, 3) in OKLab, that explain the frame: one smooth field, or several flat ones if the
        frame has sharp steps that one cannot explain."""
        colours, basis = self.lab[self.frame], self.basis[self.frame]
        fits = [robust_fit(basis, colours, start, self.tolerance) for start in (None, densest(colours))]
        explained = [float((np.linalg.norm(basis @ f - colours, axis=1) < self.tolerance).mean()) for f in fits]
        best = int(np.argmax(explained))
        smooth = [(self.basis @ fits[best]).astype(np.float32)]
        if explained[best] > 0.95 or np.percentile(self._frame_steps(), 97) < 0.02:
            return smooth
        palette, left = [], np.ones(len(colours), bool)
        for _ in range(16):
            colour = densest(colours[left])
            inside = np.linalg.norm(colours - colour, axis=1) < self.tolerance
            if self._all_round(inside) and self._has_body(colour):
                palette.append(np.broadcast_to(colours[inside].mean(0), self.lab.shape).astype(np.float32))
            left &= ~inside
            if left.mean() < 0.01 or len(palette) == 6:
                break
        return palette if len(palette) > 1 and 1 - left.mean() > explained[best] + 0.03 else smooth

    def _has_body(self, colour: np.ndarray) -> bool:
        """Whether a colour fills areas near the frame, unlike the thin lines of blends at a pattern's edges."""
        band = max(6, round(min(self.shape) * 0.05))
        found = total = 0
        for part in (self.lab[:band], self.lab[-band:], self.lab[:, :band], self.lab[:, -band:]):
            like = np.linalg.norm(part - colour, axis=2) < self.tolerance
            found, total = found + ndimage.binary_opening(like, _BOX).sum(), total + like.sum()
        return bool(found > 0.4 * total)

    def _frame_steps(self) -> np.ndarray:
        """Colour steps between neighbours along the frame."""
        lab = np.concatenate([self.lab[0], self.lab[1:, -1], self.lab[-1, -2::-1], self.lab[-2:0:-1, 0]])
        return np.linalg.norm(np.diff(lab, axis=0), axis=1)

    def _all_round(self, inside: np.ndarray) -> bool:
        """Whether a frame colour belongs to the ground: it covers much of the frame, or comes again and again along it.
        A subject that the frame cuts shows only once or twice."""
        if inside.mean() > 0.3:
            return True
        where = np.zeros(self.shape, bool)
        where[self.frame] = inside
        walk = np.concatenate([where[0], where[1:, -1], where[-1, -2::-1], where[-2:0:-1, 0]])
        walk = ndimage.binary_closing(np.r_[walk, walk[:3]], iterations=1)
        return int((np.diff(walk.astype(int)) == 1).sum()) >= 4

    def foreground(self) -> np.ndarray:
        """The foreground (H, W) bool."""
        front = self._pass()
        extra = self._scattered(front)
        if extra:
            self.fields += extra
            front = self._pass()
            parts = ndimage.label(front, _BOX)[0]
            sizes = np.bincount(parts.ravel())
            sizes[0] = 0
            front = (sizes >= 0.05 * sizes.max())[parts]
        return front

    def _pass(self) -> np.ndarray:
        distance = np.min([np.linalg.norm(self.lab - f, axis=2) for f in self.fields], 0)
        if len(self.fields) > 1:
            like = (distance < self.tolerance) | self._between()
            ground = connected_to_frame(like)
            match = np.where(like, distance, np.inf)
        else:
            self.tolerance = min(self.tolerance, self._tight(distance))
            ground, distance = self.follow_drift(distance)
            like = distance < self.tolerance
            ground, match = self._shadows(ground, like, distance)
        ground |= self._holes(match, ground, distance)
        return self._tidy(~ground)

    def _tight(self, distance: np.ndarray) -> float:
        """The tolerance for one smooth field: finer on a clean ground than on a grainy one."""
        off = distance[self.frame]
        off = off[off < self.tolerance]
        return 0.02 + 2 * float(np.percentile(off, 90)) + self.noise if off.size else self.tolerance

    def follow_drift(self, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The ground and each pixel's distance from it, re-estimated from what was reached to follow slow drifts."""
        ground = connected_to_frame(distance < self.tolerance)
        for spread in (0.12, 0.06, 0.04, 0.03):
            sigma = spread * max(self.shape)
            known = blur(ground.astype(np.float32), sigma)
            off = (self.lab - self.fields[0]) * ground[..., None]
            drift = np.stack([blur(off[..., c], sigma) for c in range(3)], -1)
            field = self.fields[0] + drift / np.maximum(known, 0.02)[..., None]
            nearer = np.linalg.norm(self.lab - field, axis=2)
            ground = connected_to_frame(np.minimum(nearer, distance) < self.tolerance)
        distance = np.minimum(nearer, distance)
        distance = self._seen(ground, distance)
        return connected_to_frame(distance < self.tolerance), distance

    def _seen(self, ground: np.ndarray, distance: np.ndarray) -> np.ndarray:
        """The distance, lowered where the ground has such a colour elsewhere and the local one is not far off (clouds,
        gradients behind a hole)."""
        sure = ground & (distance < 0.5 * self.tolerance)
        colours = self.lab[sure]
        unsure = ~sure & (distance < 4 * self.tolerance)
        if not len(colours) or not unsure.any():
            return distance
        known = cKDTree(colours[:: max(1, len(colours) // 2000)])
        seen = distance.copy()
        seen[unsure] = np.minimum(1.2 * known.query(self.lab[unsure])[0], distance[unsure])
        return seen

    def _shadows(self, ground: np.ndarray, like: np.ndarray, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The ground with its soft shadows, and each pixel's distance from plain or shaded ground.

        A shadow keeps the ground's hue, darkens gradually, and starts without an edge.
        """
        side = max(self.shape)
        step, wider = steps(self.lab, 0.7), steps(self.lab, 3.0)
        base = from_oklab(self.fields[0])
        share = (self.rgb * base).sum(2) / np.maximum((base * base).sum(2), 1e-4)
        off = np.linalg.norm(self.lab - oklab(np.clip(share, 0, 1)[..., None] * base), axis=2)
        hue = (share < 1.02) & (off < 0.8 * NEAR + self.noise)
        # An edge changes within a pixel or two and weakens under a blur; a shadow does neither.
        depth = ndimage.maximum_filter(np.where(hue & (share > 0.3), distance, 0), 2 * round(side * 0.03) + 3)
        soft = hue & (step < np.clip(0.22 * depth, 0.015, 0.1)) & (step < 1.9 * wider + 0.012)
        sharp = (step > 0.025) & (step > 1.5 * wider)
        darker = self._best_shadow(ground, like, np.where(soft, share, 0), sharp)
        scene = ShadowScene(self.lab, base, 1 - share, hue, step, distance, ground)
        found = shadowed_ground(scene, darker, self._holes)
        if found is not None:
            darker = found & ~ground
        match = np.where(like, distance, np.inf)
        if darker.sum() > 0.002 * darker.size:
            deepest = np.percentile(share[darker], 3)
            match = np.where(hue & (share > deepest), np.minimum(match, off), match)
        return ground | darker, match

    def _best_shadow(self, ground: np.ndarray, like: np.ndarray, soft: np.ndarray, sharp: np.ndarray) -> np.ndarray:
        """The shadow, from several depths and gap widths. The flood leaks into a subject with the colour of the shadow
        beside it, so the largest foreground whose outline lies on sharp edges wins.

        soft: (H, W) lightness, as a share of the ground's, of pixels that may be shadow; 0 elsewhere.
        """
        plain, side = ~ground, max(self.shape)
        best, chosen = _on_edges(plain, sharp) + AREA, np.zeros(self.shape, bool)
        for gap in (0.008, 0.02, 0.04):
            for limit in (0.3, 0.45, 0.55, 0.65, 0.72, 0.79, 0.86, 0.92):
                found = self._darker(ground, like, soft > limit, max(1, round(side * gap)))
                if not found.any():
                    break
                front = plain & ~found
                kept, edges = front.sum() / plain.sum(), _on_edges(front, sharp)
                if kept > 0.4 and edges + AREA * kept > best + 0.01:
                    best, chosen = edges + AREA * kept, found
                if limit == 0.3 and kept > 0.6 and edges > 0.95:
                    return found  # no leak even at the most generous depth
            if not chosen.any() and not found.any() and limit == 0.3:
                break
        return chosen

    def _darker(self, ground: np.ndarray, like: np.ndarray, soft: np.ndarray, radius: int) -> np.ndarray:
        """Soft pixels that the ground reaches through gaps wider than twice the radius."""
        passable = soft | ground
        core = ndimage.distance_transform_edt(np.pad(passable, 1, mode="edge"))[1:-1, 1:-1] > radius
        reached = connected_to_frame(_wider(core, radius) & passable | ground)
        near = _wider(reached, radius + 1)
        darker = ndimage.binary_propagation(reached, mask=passable & near) & ~ground
        labels, _ = ndimage.label(darker)
        for i, box in enumerate(ndimage.find_objects(labels), 1):
            box = tuple(slice(max(0, s.start - 12), s.stop + 12) for s in box)
            part, plain = labels[box] == i, ground[box] & like[box]
            entrance = ndimage.binary_dilation(part, _BOX) & plain
            beyond = ndimage.binary_dilation(part, _BOX, iterations=4) & plain
            beyond &= ~ndimage.binary_dilation(entrance, _BOX, iterations=6)
            if beyond.sum() / 3 > entrance.sum():  # an edge nearly all round: not a shadow
                darker[box] &= ~part
        return darker

    def _scattered(self, front: np.ndarray) -> list[np.ndarray]:
        """Colour fields of small things strewn over the whole picture, such as confetti; may be empty."""
        labels, count = ndimage.label(front, _BOX)
        if count < 7:
            return []
        sizes = np.bincount(labels.ravel())[1:]
        small = np.flatnonzero((sizes < 0.04 * sizes.max()) & (sizes > 4)) + 1
        if len(small) < 6:
            return []
        y, x = np.array(ndimage.center_of_mass(front, labels, small)).T
        if min(np.ptp(y) / self.shape[0], np.ptp(x) / self.shape[1]) < 0.6:
            return []
        # The median colour of each thing: antialiased rims have colours between, which are not the ground's.
        boxes = ndimage.find_objects(labels)
        colours = np.array([np.median(self.lab[boxes[i - 1]][labels[boxes[i - 1]] == i], 0) for i in small])
        fields: list[np.ndarray] = []
        while len(colours) >= 2 and len(fields) < 4:
            colour = densest(colours)
            off = np.linalg.norm(colours - colour, axis=1)
            close = off < max(self.tolerance, off.min() + 1e-6)  # at least one, so that this ends
            if close.sum() >= 2:
                fields.append(np.broadcast_to(np.median(colours[close], 0), self.lab.shape).astype(np.float32))
            colours = colours[~close]
        return fields

    def _between(self) -> np.ndarray:
        """Antialiased pixels between two fields: their colour is a mix, and both fields are near."""
        near = [np.linalg.norm(self.lab - f, axis=2) < self.tolerance for f in self.fields]
        around = [ndimage.binary_dilation(n, _BOX, iterations=2) for n in near]
        out = np.zeros(self.shape, bool)
        for i, a in enumerate(self.fields):
            for j in range(i):
                line = self.fields[j] - a
                share = ((self.lab - a) * line).sum(2) / np.maximum((line * line).sum(2), 1e-6)
                off = np.linalg.norm(self.lab - a - np.clip(share, 0, 1)[..., None] * line, axis=2)
                out |= (off < self.tolerance) & around[i] & around[j]
        return out

    def _holes(self, match: np.ndarray, ground: np.ndarray, distance: np.ndarray) -> np.ndarray:
        """Enclosed ground: the ground's colour inside, clearly another just outside. Shaded
        holes must be small, as a subject may have the colour of shaded ground. A hole that is most of the subject is
        none: an outline drawing is filled with the ground's colour.
        """
        labels, _ = ndimage.label((match < self.tolerance) & ~ground)
        out = np.zeros(self.shape, bool)
        beside = ndimage.maximum_filter(distance, 5)  # two pixels further: across a soft edge or a thin spoke
        least, most, inner = max(6, 1e-4 * ground.size), 0.05 * (~ground).sum(), 0.75 * (~ground).sum()
        for i, box in enumerate(ndimage.find_objects(labels), 1):
            box = tuple(slice(max(0, s.start - 4), s.stop + 4) for s in box)
            hole = labels[box] == i
            if not least <= hole.sum() <= inner:
                continue
            ring = ndimage.binary_dilation(hole, _BOX) & ~hole & ~ground[box]
            core = ndimage.binary_erosion(hole, _CROSS)
            core = core if core.any() else hole
            edged = ring.any() and np.mean(beside[box][ring] > 2 * self.tolerance) > 0.7
            near = np.median(match[box][core]) < 0.5 * self.tolerance
            plain = np.median(distance[box][core]) < 0.5 * self.tolerance
            if edged and near and (plain or hole.sum() < most):
                out[box] |= hole
        return out

    def _tidy(self, foreground: np.ndarray) -> np.ndarray:
        """The foreground without specks, parts that are tiny next to the largest."""
        labels, count = ndimage.label(foreground, _BOX)
        if count < 2:
            return foreground
        sizes = np.bincount(labels.ravel())
        sizes[0] = 0
        return (sizes >= max(4, 0.004 * sizes.max()))[labels]


def _on_edges(front: np.ndarray, sharp: np.ndarray) -> float:
    """The share of a foreground's outline, without specks, that lies on sharp edges."""
    solid = ndimage.binary_opening(front, _BOX)
    outline = solid & ~ndimage.binary_erosion(solid, _CROSS, border_value=1)
    near = ndimage.binary_dilation(sharp, _BOX)
    return float(near[outline].mean()) if outline.any() else 0.0


def connected_to_frame(passable: np.ndarray) -> np.ndarray:
    """The part of `passable` (H, W) that is connected to the frame."""
    seeds = np.zeros(passable.shape, bool)
    seeds[0], seeds[-1], seeds[:, 0], seeds[:, -1] = True, True, True, True
    return ndimage.binary_propagation(seeds & passable, mask=passable)


def _wider(mask: np.ndarray, radius: float) -> np.ndarray:
    """Dilation by a disc, through distances, as the radius may be large."""
    return ndimage.distance_transform_edt(~mask) <= radius if mask.any() else mask
