# The end of the beginning: the program asks for its input, and waits here until there is one.

#: start ; * ;
_tsr_input = _tsr_native('input')
context = _tsr_input['context']
ak_is_sso_flow = context.get('is_sso', False)


#: start_address ; ak_client_ip ; address
if _tsr_input['client_ip'] is not None:
    ak_client_ip = ip_address(_tsr_input['client_ip'])


#: start_http ; http ; thing,models
http_request = None
if _tsr_input['http'] is not None:
    if _tsr_input['http']['user'] is None:
        http_request = WSGIRequest(_tsr_input['http'], AnonymousUser())
    else:
        http_request = WSGIRequest(_tsr_input['http'], _TsrThing(**_tsr_input['http']['user']))


#: start_request ; request ; models,request
request = PolicyRequest(
    AnonymousUser() if _tsr_input['user'] is None else User(_tsr_input['user']),
    http_request, context, _tsr_input['debug'])
