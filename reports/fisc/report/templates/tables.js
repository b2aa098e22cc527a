(()=>{"use strict";
const number=t=>{const s=t.replace(/−/g,"-").replace(/[,\s%]/g,"");return s!==""&&isFinite(s)?+s:NaN};
const put=(tag,text,does)=>{const e=document.createElement(tag);e.textContent=text;if(does)e.addEventListener("click",does);return e};
const value=c=>{const t=c.textContent.trim(),n=number(t);return isNaN(n)?t:n};
document.querySelectorAll("figure.data:not(.cut) table").forEach(table=>{
const body=table.tBodies[0],rows=body?[...body.rows]:[],row=table.tHead&&[...table.tHead.rows].pop();
if(!row||rows.length<2)return;
const heads=[...row.cells];
if(heads.some(h=>h.colSpan>1)||rows.some(r=>r.cells.length!==heads.length))return;
heads.forEach((head,i)=>{if(!head.textContent.trim())return;
const button=put("button",head.textContent,()=>{
const up=head.getAttribute("aria-sort")!=="ascending";
heads.forEach(h=>h.removeAttribute("aria-sort"));
head.setAttribute("aria-sort",up?"ascending":"descending");
body.append(...[...rows].sort((a,b)=>{const x=value(a.cells[i]),y=value(b.cells[i]),p=typeof x,q=typeof y;
if(p!==q)return p==="number"?-1:1;
return(up?1:-1)*(p==="number"?x-y:x.localeCompare(y))}))});
head.replaceChildren(button)});
const tools=put("div","");tools.className="tools";
if(rows.length>7){const field=document.createElement("input");field.type="search";field.placeholder="Filter rows";
field.setAttribute("aria-label","Filter rows");
field.addEventListener("input",()=>rows.forEach(r=>{r.hidden=!r.textContent.toLowerCase().includes(field.value.toLowerCase())}));
tools.append(field)}
tools.append(put("button","Save as CSV",()=>{
const cell=c=>{let t=c.textContent.trim();const n=number(t);
t=isNaN(n)?t.replace(/^[=+@\-]/,"'$&"):t.replace(/−/g,"-").replace(/[,\s]/g,"");
return'"'+t.replace(/"/g,'""')+'"'};
const text="\ufeff"+[row,...[...body.rows].filter(r=>!r.hidden)].map(r=>[...r.cells].map(cell).join(",")).join("\r\n")+"\r\n";
const link=put("a","");link.href=URL.createObjectURL(new Blob([text],{type:"text/csv"}));
link.download=(table.closest("figure").id||"table")+".csv";link.click();
setTimeout(()=>URL.revokeObjectURL(link.href),9e3)}));
table.closest("figure").append(tools)})})();
