"""Compares raw responses with botocore's models: names, types, required members, enum values.

botocore drops elements that it does not know, so the bytes themselves are read here, not what botocore made of them.
"""

import json
import re
import xml.etree.ElementTree as ElementTree

TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$")
NUMBER = {"integer", "long", "float", "double"}


def _scalar(shape, text, path, wrong):
    kind = shape.type_name
    if kind == "boolean" and text not in ("true", "false"):
        wrong.append(f"{path}: boolean {text!r}")
    elif kind in ("integer", "long") and not re.fullmatch(r"-?\d+", text):
        wrong.append(f"{path}: {kind} {text!r}")
    elif kind in NUMBER and not re.fullmatch(r"-?\d+(\.\d+)?([eE]-?\d+)?", text):
        wrong.append(f"{path}: {kind} {text!r}")
    elif kind == "timestamp" and not TIME.match(text):
        wrong.append(f"{path}: timestamp {text!r}")
    _enum(shape, text, path, wrong)


def _enum(shape, value, path, wrong):
    allowed = shape.metadata.get("enum")
    if shape.type_name == "string" and allowed and value not in allowed:
        wrong.append(f"{path}: {value!r} is none of {', '.join(allowed)}")


def _tag(element):
    return element.tag.rsplit("}", 1)[-1]


def _xml_members(element, shape, path, wrong, ignore=()):
    """A structure: every child is a member, every required member is there."""
    by_name, flat = {}, {}
    for name, member in shape.members.items():
        wire = member.serialization.get("name", name)
        if member.type_name in ("list", "map") and member.serialization.get("flattened"):
            if member.type_name == "list":
                wire = member.serialization.get("name") or member.member.serialization.get("name", name)
            flat[wire] = name
        by_name[wire] = (name, member)
    seen = set()
    for child in element:
        tag = _tag(child)
        if tag in ignore:
            continue
        if tag not in by_name:
            wrong.append(f"{path}: the model has no <{tag}>")
            continue
        name, member = by_name[tag]
        if name in seen and tag not in flat:
            wrong.append(f"{path}: <{tag}> twice")
        seen.add(name)
        if tag in flat:
            member = member.member if member.type_name == "list" else member
        check_xml(child, member, f"{path}.{name}", wrong)
    for name in shape.required_members:
        if name not in seen:
            wrong.append(f"{path}: {name} is missing")


def check_xml(element, shape, path, wrong):
    kind = shape.type_name
    if kind == "structure":
        _xml_members(element, shape, path, wrong)
    elif kind == "list":
        item = shape.member.serialization.get("name", "member")
        for index, child in enumerate(element):
            if _tag(child) != item:
                wrong.append(f"{path}: <{_tag(child)}> where <{item}> belongs")
            else:
                check_xml(child, shape.member, f"{path}[{index}]", wrong)
    elif kind == "map":
        for entry in element:
            parts = {_tag(part): part for part in entry}
            for name, part in (("key", shape.key), ("value", shape.value)):
                wire = part.serialization.get("name", name)
                if wire not in parts:
                    wrong.append(f"{path}: an entry without <{wire}>")
                else:
                    check_xml(parts[wire], part, f"{path}.{name}", wrong)
    elif len(element):
        wrong.append(f"{path}: elements where {kind} belongs")
    else:
        _scalar(shape, element.text or "", path, wrong)


def check_json(value, shape, path, wrong):
    kind = shape.type_name
    if kind == "structure":
        if not isinstance(value, dict):
            wrong.append(f"{path}: {value!r} is no structure")
            return
        names = {member.serialization.get("name", name): (name, member) for name, member in shape.members.items()}
        for wire, item in value.items():
            if wire not in names:
                wrong.append(f"{path}: the model has no {wire}")
            elif item is not None:
                check_json(item, names[wire][1], f"{path}.{wire}", wrong)
        for wire, (name, _) in names.items():
            if name in shape.required_members and value.get(wire) is None:
                wrong.append(f"{path}: {name} is missing")
    elif kind == "list":
        if not isinstance(value, list):
            wrong.append(f"{path}: {value!r} is no list")
            return
        for index, item in enumerate(value):
            check_json(item, shape.member, f"{path}[{index}]", wrong)
    elif kind == "map":
        for key, item in value.items():
            check_json(key, shape.key, f"{path} key", wrong)
            check_json(item, shape.value, f"{path}[{key}]", wrong)
    else:
        python = {"boolean": bool, "string": str, "integer": int, "long": int, "timestamp": (int, float, str)}
        wanted = python.get(kind, (int, float) if kind in NUMBER else object)
        if not isinstance(value, wanted) or (isinstance(value, bool) and kind != "boolean"):
            wrong.append(f"{path}: {kind} {value!r}")
        else:
            _enum(shape, value, path, wrong)


def check_parsed(value, shape, path, wrong):
    """What botocore made of a binary protocol, where unknown members cannot be seen."""
    if shape.type_name == "structure":
        for name in shape.required_members:
            if name not in value:
                wrong.append(f"{path}: {name} is missing")
        for name, item in value.items():
            if name in shape.members:
                check_parsed(item, shape.members[name], f"{path}.{name}", wrong)
    elif shape.type_name == "list":
        for index, item in enumerate(value):
            check_parsed(item, shape.member, f"{path}[{index}]", wrong)
    else:
        _enum(shape, value, path, wrong)


def check_body(operation, protocol, status, body):
    """Everything that is wrong with the body of a response."""
    wrong, path = [], operation.name
    shape = operation.output_shape
    if status >= 300:
        return wrong
    if protocol in ("query", "ec2"):
        try:
            root = ElementTree.fromstring(body)
        except ElementTree.ParseError as error:
            return [f"{path}: no XML: {error}"]
        if _tag(root) != f"{operation.name}Response":
            wrong.append(f"{path}: root <{_tag(root)}>")
        children = {_tag(child): child for child in root}
        if protocol == "ec2":
            if not children.get("requestId", root).text:
                wrong.append(f"{path}: no request id")
            if shape is not None:
                _xml_members(root, shape, path, wrong, ignore=("requestId", "return"))
            elif set(children) - {"requestId", "return"}:
                wrong.append(f"{path}: a result where the model has none: {sorted(children)}")
            return wrong
        if "ResponseMetadata" not in children:
            wrong.append(f"{path}: no <ResponseMetadata>")
        wrapper = shape.serialization.get("resultWrapper") if shape is not None else None
        if wrapper:
            if wrapper not in children:
                wrong.append(f"{path}: no <{wrapper}>")
            else:
                _xml_members(children[wrapper], shape, path, wrong)
    elif protocol in ("json", "rest-json"):
        if not body:
            if shape is not None and shape.required_members:
                wrong.append(f"{path}: an empty body")
            return wrong
        value = json.loads(body)
        if shape is not None:
            check_json(value, shape, path, wrong)
        elif value:
            wrong.append(f"{path}: a result where the model has none: {value}")
    return wrong


class Judge:
    """Counts what was judged and keeps what was wrong."""

    def __init__(self):
        self.wrong, self.judged = [], {}

    def watch(self, client):
        """Judges every response that a client gets."""
        model = client.meta.service_model
        service = model.service_name
        pending = {}

        def before_parse(operation_model, response_dict, customized_response_dict, **_):
            del customized_response_dict
            protocol = model.resolved_protocol
            body, status = response_dict["body"], response_dict["status_code"]
            if protocol == "smithy-rpc-v2-cbor":
                pending["operation"] = operation_model
            else:
                self.wrong += [f"{service}: {w}" for w in check_body(operation_model, protocol, status, body)]
            if status < 300:
                self.judged.setdefault(service, set()).add(operation_model.name)

        def after_call(parsed, model, **_):
            if pending.pop("operation", None) is not None and model.output_shape is not None:
                wrong = []
                value = {k: v for k, v in parsed.items() if k != "ResponseMetadata"}
                check_parsed(value, model.output_shape, model.name, wrong)
                self.wrong += [f"{service}: {w}" for w in wrong]

        client.meta.events.register("before-parse", before_parse)
        client.meta.events.register("after-call", after_call)
        return client
