"""A search space as written -> the same space for one backbone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from autopeft.errors import SpaceError
from autopeft.space.space import Allocator, Dimension, Slot, Space
from autopeft.space.spec import DimensionSpec, SpaceSpec
from autopeft.types import Backbone, PeftModule, Settings, Site, Value


def expand(
    spec: SpaceSpec,
    backbone: Backbone,
    modules: Mapping[str, PeftModule],
    *,
    allocator: Allocator | None = None,
) -> Space:
    """The space for one backbone.

    Raises:
        SpaceError: an unknown module, setting, role or dimension, or nothing fits the backbone.
    """
    return _Expansion(_with_learning_rate(spec, modules), backbone, modules).space(allocator)


def _with_learning_rate(spec: SpaceSpec, modules: Mapping[str, PeftModule]) -> SpaceSpec:
    """The space with the rates that its modules are known to need, where it states none."""
    if any(dimension.name == "learning_rate" for dimension in spec.dimensions):
        return spec
    pieces = [modules[name] for name in spec.modules if name in modules]
    known = [piece.learning_rates for piece in pieces if piece.learning_rates]
    if not known:
        raise SpaceError(f"{spec.source}: the dimension `learning_rate` is missing")
    ends = (min(rates.low for rates in known), max(rates.high for rates in known))
    rate = DimensionSpec("learning_rate", "float", ends, True, ("model",), {}, 0)
    return replace(spec, dimensions=(*spec.dimensions, rate))


@dataclass(frozen=True)
class _Expansion:
    spec: SpaceSpec
    backbone: Backbone
    modules: Mapping[str, PeftModule]

    def fail(self, message: str, line: int = 0, hint: str = "") -> SpaceError:
        where = f"{self.spec.source}:{line}" if line else self.spec.source
        return SpaceError(f"{where}: {message}", hint=hint)

    def space(self, allocator: Allocator | None) -> Space:
        self._check_names()
        sites = {name: self._sites(name) for name in self.spec.modules}
        if not any(sites.values()):
            raise self.fail(f"no module of the space fits `{self.backbone.name}`")
        keys = self._keys(sites)
        dimensions = self._dimensions(keys)
        index = {d.name: i for i, d in enumerate(dimensions)}
        slots = () if self.spec.importance else tuple(self._slots(sites, index))
        self._check_replaced(slots, dimensions)
        return Space(
            name=self.spec.name,
            digest=self.spec.digest,
            dimensions=dimensions,
            slots=slots,
            learning_rate=index["learning_rate"],
            notes=tuple(
                f"`{name}` fits no site of `{self.backbone.name}` and is left out"
                for name, found in sites.items()
                if not found
            ),
            allocator=allocator if self.spec.importance else None,
        )

    def _check_names(self) -> None:
        known = ", ".join(sorted(self.modules))
        for name, settings in self.spec.modules.items():
            if name not in self.modules:
                raise self.fail(f"unknown module `{name}`", hint=f"known: {known}")
            self._check_settings(name, settings)
        selectors = {name for d in self.spec.dimensions for name in d.when}
        for dimension in self.spec.dimensions:
            self._check_dimension(dimension, selectors)
        names = {d.name for d in self.spec.dimensions}
        if bool(self.spec.importance) != ("allocation.share" in names):
            raise self.fail("`importance` and the dimension `allocation.share` go together")
        if missing := selectors - names:
            raise self.fail(f"`when` names `{min(missing)}`, which is not a dimension")

    def _check_settings(self, name: str, settings: Settings) -> None:
        allowed = {self.modules[name].size, *self.modules[name].defaults}
        if unknown := set(settings) - allowed:
            hint = f"known: {', '.join(sorted(allowed))}"
            raise self.fail(f"module `{name}` has no setting `{min(unknown)}`", hint=hint)

    def _check_dimension(self, dimension: DimensionSpec, selectors: set[str]) -> None:
        name, (module, _, setting) = dimension.name, dimension.name.partition(".")
        if name == "learning_rate" and dimension.per != ("model",):
            raise self.fail("`learning_rate` is one value per configuration", dimension.line)
        if name in ("learning_rate", "active") or name in selectors or module == "allocation":
            return
        if module not in self.spec.modules:
            hint = (
                "use `learning_rate`, `active`, `<module>.<setting>`, or a name that a `when` uses"
            )
            raise self.fail(f"unknown dimension `{name}`", dimension.line, hint)
        self._check_settings(module, {setting: 0})

    def _sites(self, module: str) -> list[Site]:
        kind = self.modules[module].kind
        sites = [site for site in self.backbone.sites if site.kind == kind]
        if kind != "linear" or not self.spec.groups:
            return sites
        return [site for site in sites if self._group(site)]

    def _group(self, site: Site) -> str:
        if site.kind != "linear" or not self.spec.groups:
            return site.role
        found = (name for name, roles in self.spec.groups.items() if site.role in roles)
        return next(found, "")

    def _key(self, dimension: DimensionSpec, site: Site) -> str:
        depth = len(self.backbone.layers)
        blocks = min(self.spec.blocks, depth)
        parts = {
            "block": f"block {site.layer * blocks // depth}",
            "layer": str(site.layer),
            "group": self._group(site),
            "site": site.name,
        }
        labels = [parts[scope] for scope in dimension.per if scope != "model"]
        return f"{dimension.name}[{','.join(labels)}]" if labels else dimension.name

    def _keys(
        self, sites: Mapping[str, list[Site]]
    ) -> list[tuple[str, DimensionSpec, Site | None]]:
        """Every instance of every dimension, in the order written, layers upwards."""
        every = sorted(
            {s.name: s for found in sites.values() for s in found}.values(), key=lambda s: s.layer
        )
        instances: dict[str, tuple[str, DimensionSpec, Site | None]] = {}
        for dimension in self.spec.dimensions:
            module = dimension.name.partition(".")[0]
            mine = sites.get(module, every)
            if dimension.per == ("model",) and (mine or module not in sites):
                instances[dimension.name] = (dimension.name, dimension, None)
                continue
            for site in mine:
                key = self._key(dimension, site)
                instances.setdefault(key, (key, dimension, site))
        return list(instances.values())

    def _dimensions(
        self, keys: Sequence[tuple[str, DimensionSpec, Site | None]]
    ) -> tuple[Dimension, ...]:
        index = {key: i for i, (key, _, _) in enumerate(keys)}
        specs = {d.name: d for d in self.spec.dimensions}
        dimensions = []
        for key, spec, site in keys:
            when = {}
            for name, value in spec.when.items():
                other = self._key(specs[name], site) if site is not None else name
                when[index[other]] = value
            values = _values(spec, self.backbone.hidden_size)
            dimensions.append(Dimension(key, values, _positions(spec, values), when))
        return tuple(dimensions)

    def _slots(self, sites: Mapping[str, list[Site]], index: Mapping[str, int]) -> Iterator[Slot]:
        gate = next((d for d in self.spec.dimensions if d.name == "active"), None)
        for name, found in sites.items():
            module = self.modules[name]
            mine = [d for d in self.spec.dimensions if d.name.startswith(f"{name}.")]
            fixed = {**module.defaults, **self.spec.modules[name]}
            for site in sorted(found, key=lambda s: s.layer):
                source = {d.name.partition(".")[2]: index[self._key(d, site)] for d in mine}
                if module.size not in source and module.size not in fixed:
                    raise self.fail(f"nothing gives the setting `{module.size}` of module `{name}`")
                rest = {k: v for k, v in fixed.items() if k not in source}
                gates = (index[self._key(gate, site)],) if gate else ()
                yield Slot(site.name, name, module.size, source, rest, gates)

    def _check_replaced(self, slots: Sequence[Slot], dimensions: Sequence[Dimension]) -> None:
        """SpaceError when a layer that a module replaces could hold something else as well."""
        inside = [s for s in slots if self.backbone.site(s.site).kind != "layer"]
        for slot in (s for s in inside if self.modules[s.module].replaces):
            layer = slot.site.partition(".")[0]
            for other in inside:
                here = other.site.partition(".")[0] == layer and other is not slot
                if here and not _exclusive(slot, other, dimensions):
                    message = f"`{slot.module}` could leave out a layer that holds `{other.module}`"
                    hint = "give the sizes of both a `when` on different values of one dimension"
                    raise self.fail(message, hint=hint)


def _exclusive(slot: Slot, other: Slot, dimensions: Sequence[Dimension]) -> bool:
    """Whether no point fills both slots."""
    one, two = (
        dimensions[s.from_dimension[s.size]].when if s.size in s.from_dimension else {}
        for s in (slot, other)
    )
    return any(one[index] != two[index] for index in one.keys() & two.keys())


def _values(spec: DimensionSpec, hidden_size: int) -> tuple[Value, ...]:
    if spec.domain == "choice":
        return spec.values
    if spec.domain == "fraction":
        sizes = {_size(float(share), hidden_size) for share in spec.values}
        return tuple(sorted(sizes))
    low, high = float(spec.values[0]), float(spec.values[1])
    if spec.domain == "int":
        return tuple(range(int(low), int(high) + 1))
    return _two_digits(low, high)


def _size(share: float, hidden_size: int) -> int:
    return 0 if share == 0 else max(1, int(hidden_size * share))


def _two_digits(low: float, high: float) -> tuple[Value, ...]:
    """Every number of two significant digits from low to high."""
    if low <= 0:
        return tuple(round(low + (high - low) * i / 100, 12) for i in range(101))
    found = []
    for exponent in range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 1):
        for mantissa in range(10, 100):
            number = float(f"{mantissa / 10}e{exponent}")
            if low <= number <= high:
                found.append(number)
    return tuple(found)


def _positions(spec: DimensionSpec, values: Sequence[Value]) -> tuple[float, ...]:
    """Evenly spaced by order; floats by value (or by its logarithm)."""
    if len(values) == 1:
        return (0.5,)
    if spec.domain != "float":
        return tuple(i / (len(values) - 1) for i in range(len(values)))
    scaled = [math.log(float(v)) if spec.log else float(v) for v in values]
    return tuple((s - scaled[0]) / (scaled[-1] - scaled[0]) for s in scaled)
