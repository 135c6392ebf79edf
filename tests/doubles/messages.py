# SPDX-License-Identifier: GPL-2.0-or-later
"""Types as the machine sees them, in C and in the bindings' Rust, and of Objective-C's messages what a C file sends and what a
method takes. For check-api."""
import re


def c_shape(text):
    """What a parameter or a result is for the machine, in the bindings' words. A parameter may have its name behind it."""
    words = re.sub(r'\b(const|struct)\b', ' ', text).split()
    kind = words[0].rstrip('*')
    if '*' in text or kind.endswith(('Ref', 'Callback')) or kind in ('id', 'Class', 'SEL'):
        return 'pointer'
    if kind in ('unsigned', 'signed'):
        kind = ' '.join(words[:2])
    return {'size_t': 'usize', 'int64_t': 'i64', 'int32_t': 'i32', 'int': 'i32', 'OSStatus': 'i32', 'CVReturn': 'i32',
            'kern_return_t': 'i32', 'unsigned long': 'usize', 'uint64_t': 'u64', 'guint64': 'u64', 'signed char': 'bool',
            'Origin': 'MTLOrigin', 'Size': 'MTLSize',
            'Region': 'MTLRegion'}.get(kind, kind)


def rust_shape(text):
    text = text.strip()
    if re.match(r'&|\*|NonNull<|(?:CF)?Retained<|Option<(&|NonNull<|(?:CF)?Retained<|Sel>)', text) or text.endswith('Callback'):
        return 'pointer'
    return {'c_int': 'i32', 'OSStatus': 'i32', 'CVReturn': 'i32', 'libc::kern_return_t': 'i32', 'NSUInteger': 'usize',
            'qos_class_t': 'unsigned int'}.get(text, text)


def split_parameters(text):
    """By the commas that are not within brackets."""
    parts = re.split(r',(?![^<(]*[>)])', text)
    return [part.strip() for part in parts if part.strip() not in ('', 'void')]


def shape_text(shape):
    return f'({", ".join(shape[1])}) -> {shape[0]}'


# ---- what a C file sends ----

class NotUnderstood(Exception):
    pass


VARIABLE = re.compile(r'([\w ]+?[ *]+)\(\*(\w+)\)\(id, SEL([^()]*)\) = \(([\w ]+?[ *]+)\(\*\)\(id, SEL([^()]*)\)\) ?objc_msgSend;')


def arguments(text, start):
    """Those of a call whose bracket opens before @start."""
    parts, depth, begin = [], 1, start
    for at in range(start, len(text)):
        char = text[at]
        depth += (char in '({[') - (char in ')}]')
        if depth == 0 or (char == ',' and depth == 1):
            parts.append(text[begin:at].strip())
            begin = at + 1
        if depth == 0:
            return parts
    raise NotUnderstood('a call without an end')


def calls(name, text):
    return [arguments(text, match.end()) for match in re.finditer(r'(?<![\w*])' + name + r'\(', text)]


def messages(code):
    """(selector, (result, [parameters])) of every message that @code, without comments, sends: through a variable of the method's
    type, with sel_registerName() of a string, or of the second parameter of a function that is called with a string there."""
    code = re.sub(r'"\s*"', '', code)
    sent, helpers, casts, selectors = [], {}, 0, 0
    for body in re.split(r'^\}', code, flags=re.M):
        # However the code is formatted: id(*)( id, is id (*)(id,
        text = re.sub(r'(?<=\w)\(\*', ' (*', ' '.join(body.split())).replace('( ', '(')
        function = re.search(r'(\w+)\(([^()]*)\) \{', text)
        for result, name, parameters, cast_result, cast_parameters in VARIABLE.findall(text):
            shape = (c_shape(cast_result), [c_shape(p) for p in split_parameters(cast_parameters)])
            if (c_shape(result), [c_shape(p) for p in split_parameters(parameters)]) != shape:
                raise NotUnderstood(f'{name} is of another type than what is assigned to it')
            casts += 1
            for call in calls(name, text):
                literal = re.fullmatch(r'sel_registerName\("([^"]+)"\)', call[1])
                selectors += 1
                if len(call) != 2 + len(shape[1]):
                    raise NotUnderstood(f'{name} is called with {len(call)} arguments')
                if literal:
                    sent.append((literal.group(1), shape))
                elif function and call[1] == 'sel_registerName(selector)' and function.group(2) == 'id object, const char *selector':
                    helpers[function.group(1)] = shape
                else:
                    raise NotUnderstood(f'selector {call[1]}')
    if casts != len(re.findall(r'\bobjc_msgSend\b', code)) or selectors != len(re.findall(r'\bsel_registerName\b', code)):
        raise NotUnderstood('objc_msgSend or sel_registerName is used in a way that is not understood')
    for name, shape in helpers.items():
        for call in calls(name, code):
            if call == ['id object', 'const char *selector']:
                continue
            literal = re.fullmatch(r'"([^"]+)"', call[1])
            if not literal:
                raise NotUnderstood(f'{name} with selector {call[1]}')
            sent.append((literal.group(1), shape))
    return sent


# ---- what a method takes ----

def c_method(function, code):
    """The shape of the method that a C function of the doubles is."""
    match = re.search(r'^static ([\w ]+?[ *]+)' + function + r'\(id \w+, SEL selector([^()]*)\)\s*\{', code, flags=re.M)
    return (c_shape(match.group(1)), [c_shape(p) for p in split_parameters(match.group(2))]) if match else None


def rust_methods(selector, text):
    """The shapes of all methods with this selector in the bindings."""
    text = re.sub(r'^\s*//.*$', '', text, flags=re.M)
    numbers = set(re.findall(r'pub struct (\w+)\(pub NSUInteger\);', text))
    shapes = []
    for part in text.split(f'method({selector}))]')[1:]:
        match = re.search(r'fn \w+\s*\(([^)]*)\)(?:\s*->\s*([^;{]+))?', part)
        kinds = [p for p in split_parameters(' '.join(match.group(1).split())) if p != '&self']
        kinds = [p.split(':', 1)[1].strip() for p in kinds] + [match.group(2).strip() if match.group(2) else 'void']
        kinds = ['usize' if kind in numbers else rust_shape(kind) for kind in kinds]
        shapes.append((kinds[-1], kinds[:-1]))
    return shapes
